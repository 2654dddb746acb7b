"""Running apps. `runs`, `stream` and `follow` are what the rest of the server uses; `config` is what it hands in.

A run's way through the packages: `definition` (what the author wrote), `inputs` (what the caller sent), `running` (the
thread that carries it out), `nodes` (what it consists of, with `models`, `tools`, `agents`, `knowledge`, `documents`,
`sandbox`, `network` and `files` behind them), `forms` (people it asks), `events` (what is told of it).
"""
