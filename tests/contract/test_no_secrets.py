"""Nothing that opens anything is among the files of the project; what is installed is pinned by what it contains."""

from __future__ import annotations

import re
import subprocess
import tomllib

import pytest

from contract import ROOT

KINDS = {
    "a private key": re.compile(rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"),
    "a key of a cloud": re.compile(rb"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[A-Za-z0-9_-]{35}\b"),
    "a token of a code host": re.compile(
        rb"\bgh[pousr]_[A-Za-z0-9]{36}\b|\bglpat-[A-Za-z0-9_-]{20}\b|\bgithub_pat_\w{50,}"
    ),
    "a key of a model's provider": re.compile(rb"\bsk-(?:ant-|proj-)?[A-Za-z0-9]{32,}\b|\bhf_[A-Za-z0-9]{34}\b"),
    "a token of a registry or a chat": re.compile(
        rb"\bpypi-[A-Za-z0-9_-]{50,}|\bnpm_[A-Za-z0-9]{36}\b|\bxox[abps]-[\w-]{20,}"
    ),
    "a signed token": re.compile(rb"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}"),
    "a token of this server": re.compile(rb"\b(?:dfo[ae]_|dc_)(?=[A-Za-z0-9_-]*[0-9])[A-Za-z0-9_-]{43}\b"),
    "a password in an address": re.compile(
        rb"\b(?:postgres(?:ql)?|redis|https?|smtp)://[^\s/:@\"'{}<>$]+:(?P<password>[^\s@\"'{}<>$]{8,})@[\w.-]+"
    ),
}  # fmt: skip
# Those of examples, which open nothing.
EXAMPLES = re.compile(
    rb"@127\.0\.0\.1|@localhost|@[\w.-]*example|password|s[e3]cret|abcdefgh|0uYt7Qd3Rz5mVb1cXn9kLw2sEp6hJf8gAa4iTo0yUqM",
    re.IGNORECASE,
)


def tracked() -> list[str]:
    """The files of the project."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode != 0:
        pytest.skip("this is no checkout")
    return [name for name in listed.stdout.decode().split("\0") if name]


def secrets_in(content: bytes) -> list[str]:
    """Kinds of secrets in a file."""
    return [
        kind for kind, pattern in KINDS.items() for found in pattern.finditer(content) if not EXAMPLES.search(found[0])
    ]


def test_no_file_of_the_project_holds_a_secret() -> None:
    files = [name for name in tracked() if (ROOT / name).is_file()]
    assert [(name, found) for name in files if (found := secrets_in((ROOT / name).read_bytes()))] == []


@pytest.mark.parametrize(
    "planted",
    [
        "-----BEGIN RSA " + "PRIVATE KEY-----", "AKIA" + "A1B2C3D4E5F6G7H8", "ghp_" + "a1" * 18, "sk-" + "a1B2" * 10,
        "dfoa_" + "a1B" * 14 + "x", "postgresql://server:" + "Tr0ub4dor@db/x", "pypi-" + "Ag1" * 20,
    ],
)  # fmt: skip
def test_the_scan_finds_what_is_planted(planted: str) -> None:
    assert secrets_in(f"before {planted} after".encode())


def test_every_dependency_is_locked_by_its_content() -> None:
    packages = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    loose = [
        one["name"]
        for one in packages
        if "registry" in one["source"]
        and not all("hash" in file for file in [*one.get("wheels", []), *([one["sdist"]] if "sdist" in one else [])])
    ]
    assert loose == []
    assert all("registry" in one["source"] or one["name"] == "difyspec" for one in packages)
