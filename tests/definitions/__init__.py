"""Small definitions in every mode, with every node type, in old and new versions of the format.

Written for the tests. ``DIFYSPEC_DEFINITIONS`` names a folder of more, which are to import and run as these do.
"""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = sorted(Path(__file__).parent.glob("*.yml"))
EXAMPLES = sorted((ROOT / "examples").glob("*.yml"))
_MORE = os.environ.get("DIFYSPEC_DEFINITIONS", "")
MORE = sorted(Path(_MORE).glob("*.yml")) if _MORE else []
