"""The app that is served, in process: no generated request finds a difference between it and its contract."""

from __future__ import annotations

from functools import partial

from server.app import create_app
from tests.fuzz import servers
from tests.fuzz.promises import promises
from tests.fuzz.target import Target

target = Target(in_process=True)
TestCompiledApp = promises(target, partial(servers.in_process, create_app, target.door))
