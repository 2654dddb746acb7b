"""Tests of the contract itself, and of what derives from it."""
