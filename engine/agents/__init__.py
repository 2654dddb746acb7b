"""Agents: a model that may call tools for some rounds before it answers."""
