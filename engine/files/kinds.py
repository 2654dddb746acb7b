"""Kinds of files: by extension, by content type, and by the first bytes; and how large each kind may be."""

from __future__ import annotations

import mimetypes
import re
import unicodedata
from dataclasses import dataclass
from pathlib import PurePosixPath

MEGABYTE = 1024 * 1024
NAME_LENGTH = 200
HEAD = 16  # bytes that are enough to tell

_EXTENSIONS: dict[str, frozenset[str]] = {
    "image": frozenset({"jpg", "jpeg", "png", "webp", "gif", "svg"}),
    "video": frozenset({"mp4", "mov", "mpeg", "webm"}),
    "audio": frozenset({"mp3", "m4a", "wav", "amr", "mpga"}),
    "document": frozenset({
        "txt", "markdown", "md", "mdx", "pdf", "html", "htm", "xlsx", "xls", "vtt", "properties", "doc", "docx",
        "csv", "eml", "msg", "ppt", "pptx", "xml", "epub", "json", "odt", "yaml", "yml",
    }),
}  # fmt: skip
_MIME_TYPES = {
    "md": "text/markdown", "markdown": "text/markdown", "mdx": "text/markdown", "csv": "text/csv",
    "json": "application/json", "yaml": "application/yaml", "yml": "application/yaml", "webp": "image/webp",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "epub": "application/epub+zip", "m4a": "audio/mp4", "vtt": "text/vtt", "xml": "application/xml",
}  # fmt: skip
_ZIP, _OLE = rb"PK(\x03\x04|\x05\x06|\x07\x08)", rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# A name that promises one of these and content that begins otherwise: somebody is mistaken, or lies.
_BEGINNINGS = {
    extension: re.compile(pattern, re.DOTALL)
    for pattern, extensions in (
        (rb"\x89PNG\r\n\x1a\n", "png"),
        (rb"\xff\xd8\xff", "jpg jpeg"),
        (rb"GIF8[79]a", "gif"),
        (rb"RIFF.{4}WEBP", "webp"),
        (rb"RIFF.{4}WAVE", "wav"),
        (rb".{4}ftyp", "mp4 m4a"),
        (rb".{4}(ftyp|moov|mdat|wide|free|skip|pnot)", "mov"),
        (rb"\x1aE\xdf\xa3", "webm"),
        (rb"ID3|\xff[\xe0-\xff]", "mp3 mpga"),
        (rb"#!AMR", "amr"),
        (rb".{0,8}%PDF-", "pdf"),
        (_ZIP, "docx xlsx pptx epub odt zip"),
        (_OLE + b"|" + _ZIP, "doc xls ppt"),
        (_OLE, "msg"),
    )
    for extension in extensions.split()
}
_MIME = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")


@dataclass(frozen=True, slots=True)
class FileLimits:
    """How large each kind may be, in megabytes; how many files one input takes; extensions that are refused."""

    image: int = 10
    video: int = 100
    audio: int = 50
    other: int = 15
    count: int = 10
    blocked: frozenset[str] = frozenset()

    def megabytes(self, extension: str) -> int:
        """The limit of files with this extension (the limit itself is allowed)."""
        return {"image": self.image, "video": self.video, "audio": self.audio}.get(kind_of(extension), self.other)

    def bytes(self, extension: str) -> int:
        """The same in bytes."""
        return self.megabytes(extension) * MEGABYTE

    @property
    def most_bytes(self) -> int:
        """The largest of the limits, in bytes."""
        return max(self.image, self.video, self.audio, self.other) * MEGABYTE

    def system_parameters(self) -> dict[str, int]:
        """The limits as describe tells them."""
        return {
            "image_file_size_limit": self.image,
            "video_file_size_limit": self.video,
            "audio_file_size_limit": self.audio,
            "file_size_limit": self.other,
            "workflow_file_upload_limit": self.count,
        }


def extension_of(name: str) -> str:
    """What follows the last dot of a name, in lower case and without the dot; empty if it is no plain word."""
    extension = PurePosixPath(name).suffix[1:].lower()
    return extension if re.fullmatch(r"[a-z0-9_+-]{1,32}", extension) else ""


def kind_of(extension: str, mime_type: str = "") -> str:
    """image, video, audio, document or custom: by the extension, and if that says nothing by the type."""
    for kind, extensions in _EXTENSIONS.items():
        if extension in extensions:
            return kind
    main = mime_type.partition("/")[0]
    if main in ("image", "video", "audio"):
        return main
    return "document" if main == "text" or mime_type in ("application/pdf", "application/json") else "custom"


def mime_type_of(extension: str, claimed: str = "") -> str:
    """The media type of the extension; of an unknown one what was claimed, if that is a media type at all."""
    known = _MIME_TYPES.get(extension) or (mimetypes.guess_type(f"x.{extension}")[0] if extension else None)
    if known:
        return known
    claimed = claimed.partition(";")[0].strip().lower()
    return claimed if _MIME.fullmatch(claimed) else "application/octet-stream"


def extension_for(mime_type: str) -> str:
    """The usual extension of a media type, without a dot; empty for an unknown one."""
    plain = mime_type.partition(";")[0].strip().lower()
    own = next((extension for extension, known in _MIME_TYPES.items() if known == plain), None)
    return own or (mimetypes.guess_extension(plain) or "").removeprefix(".")


def fits(extension: str, head: bytes) -> bool:
    """Whether a file's first ``HEAD`` bytes can be those of its extension; an empty file fits every one."""
    beginning = _BEGINNINGS.get(extension)
    return beginning is None or not head or beginning.match(head) is not None


def safe_name(name: str) -> str | None:
    """The name as it is kept and shown, at most 200 characters; None for one that cannot be.

    Slashes and control characters are refused, not mended: nobody means them. What would only disturb a line
    of text (marks that turn the direction of writing, lone surrogates) is dropped.
    """
    if any(letter in "/\\" or unicodedata.category(letter) == "Cc" for letter in name):
        return None
    clean = unicodedata.normalize("NFC", name)
    clean = "".join(letter for letter in clean if unicodedata.category(letter) not in ("Cf", "Cs", "Zl", "Zp")).strip()
    if not clean.strip("."):
        return None
    if len(clean) > NAME_LENGTH:
        suffix = f".{extension_of(clean)}" if extension_of(clean) else ""
        clean = clean[: NAME_LENGTH - len(suffix)] + suffix
    return clean
