"""Why a file is not taken, in the words of the answer."""

from __future__ import annotations

from engine.files import kinds as file_kinds
from engine.files.kinds import FileLimits
from store.refusal import Refusal


def check_extension(limits: FileLimits, extension: str) -> None:
    """Refuse ``file_extension_blocked`` for an extension that the operator does not want."""
    if extension in limits.blocked:
        raise Refusal("file_extension_blocked", f"Files with the extension '{extension}' are not taken here.")


def too_large(limits: FileLimits, extension: str) -> Refusal:
    """The refusal of a file beyond the limit of its kind."""
    kind = {"image": "An image", "video": "A video", "audio": "An audio file"}.get(file_kinds.kind_of(extension))
    return Refusal(
        "file_too_large", f"{kind or 'A file of this kind'} may have at most {limits.megabytes(extension)} MB."
    )


def not_stored() -> Refusal:
    """The refusal of a file that the disk or the storage did not take."""
    return Refusal("service_unavailable", "The file could not be stored; try again later.")
