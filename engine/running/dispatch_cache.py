"""Python 3.13.0 and 3.13.1 keep alive every object that a ``singledispatchmethod`` was called on (cpython#127750).

graphon calls two of them for each event, so each run's engine would stay in memory for good. Later versions have no
such cache.
"""

from __future__ import annotations

from functools import singledispatchmethod

from graphon.engine.event.processor import NodeEventProcessor
from graphon.nodes.base.node import Node


def switch_off() -> None:
    """Switch the cache off where there is one."""
    for owner in (NodeEventProcessor, Node):
        for method in vars(owner).values():
            if isinstance(method, singledispatchmethod) and hasattr(method, "_method_cache"):
                method._method_cache = None
