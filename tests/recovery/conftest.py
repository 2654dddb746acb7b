"""Sites on each of the two databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.recovery.site import Site, database

MakeSite = Callable[..., Site]


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeSite]:
    """Makes the site of a test, with settings (environment variables) for all its servers."""
    made: list[Site] = []
    with database(request.param, tmp_path) as url:

        def make(**settings: str) -> Site:
            made.append(Site(tmp_path, url, **settings))
            return made[-1]

        yield make
        for one in made:
            one.close()
