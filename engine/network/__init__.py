"""Requests that an app makes: which addresses they may reach, how large and how long they may be, and their end
with the run.
"""
