"""``difyspec serve`` over real HTTP, with a socket between the requests and their answers."""

from __future__ import annotations

from tests.fuzz import servers
from tests.fuzz.promises import promises
from tests.fuzz.target import Target

TestOverHttp = promises(Target(in_process=False), servers.over_http)
