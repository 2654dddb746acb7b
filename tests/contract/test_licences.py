"""What is installed with the server may be passed on with it: the licence of each distribution is a known one."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata

from packaging.requirements import Requirement

from contract import ROOT

PERMISSIVE = re.compile(r"MIT|BSD|Apache|ISC|PSF|Python Software Foundation|CNRI", re.IGNORECASE)
# Others, and why they are fine here.
KNOWN = {
    "certifi": "MPL-2.0: a list of certificates, used as it is",
    "psycopg2-binary": "LGPL with exceptions: a library of its own, replaceable, wanted for PostgreSQL only",
    "quickjs-ng": "MIT, which its metadata does not say",
}


def installed() -> dict[str, metadata.Distribution]:
    """The distributions that the project's own dependencies bring along, but for those that the lock leaves out."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    left_out = {one.partition(" ")[0] for one in project["tool"]["uv"]["override-dependencies"]}
    waiting = [Requirement(one) for one in project["project"]["dependencies"]]
    found: dict[str, metadata.Distribution] = {}
    while waiting:
        wanted = waiting.pop()
        name = re.sub(r"[-_.]+", "-", wanted.name).lower()
        if name in found or name in left_out:
            continue
        found[name] = metadata.distribution(wanted.name)
        for text in found[name].requires or []:
            inner = Requirement(text)
            extras = ["", *wanted.extras]
            if inner.marker is None or any(inner.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(inner)
    return found


def licence(distribution: metadata.Distribution) -> str:
    """What a distribution says of its licence, in whichever of the three places it says it."""
    told = distribution.metadata
    classifiers = [one for one in told.get_all("Classifier") or [] if one.startswith("License ::")]
    return told.get("License-Expression") or "; ".join(classifiers) or (told.get("License") or "")[:200]


def test_each_licence_is_permissive_or_named_here() -> None:
    found = installed()
    assert len(found) > 60
    others = {name: licence(one) for name, one in found.items() if not PERMISSIVE.search(licence(one))}
    assert set(others) == set(KNOWN), others
