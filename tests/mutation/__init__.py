"""How well the tests guard: small changes are made to the code, and each must make one of its tests fail.

See `docs/testing.md`.
"""
