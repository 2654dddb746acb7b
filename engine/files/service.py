"""Files of people and of runs: taking them in, handing them out, letting go of those nobody uses."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterator
from datetime import timedelta
from itertools import batched
from typing import Any, BinaryIO

from engine.files import kinds as file_kinds
from engine.files.asking import Asking
from engine.files.config import FileConfig
from engine.files.links import FileLinks
from engine.files.refusals import check_extension, not_stored, too_large
from engine.network.address_guard import AddressGuard
from store import file_bytes, files
from store.access import Access
from store.app_row import App
from store.caller import Caller
from store.clock import current as clock
from store.clock import current_ids
from store.files import Owner, StoredFile, Uploader
from store.refusal import Refusal

logger = logging.getLogger(__name__)
ORPHANED_AFTER = timedelta(hours=1)
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


class Files:
    """The files of this server."""

    def __init__(self, config: FileConfig, guard: AddressGuard) -> None:
        self.config, self.limits, self.asking = config, config.limits, Asking(guard)
        self.links = FileLinks(config.secret, config.api_url, config.link_seconds, config.old_secrets)
        self.reader = config.document_reader()
        self._bytes = file_bytes.open_bytes(config.storage, config.folder)

    def take(
        self,
        app: App,
        caller: Uploader,
        source: BinaryIO,
        size: int,
        *,
        name: str,
        claimed: str,
        held: Access | None = None,
    ) -> StoredFile:
        """Store an upload; it is the caller's, for this app, and waits for a run to use it.

        In: the content as a seekable file, its size, its name and content type as the client gave them, and what the
        caller was let in by before the content arrived.
        Refusals: bad_request, file_extension_blocked, file_too_large, unsupported_file_type; those of
        `store.access.refusal`; and service_unavailable when it cannot be written.
        """
        kept = file_kinds.safe_name(name)
        if kept is None:
            raise Refusal("bad_request", "The file name may hold neither slashes nor control characters.")
        extension = file_kinds.extension_of(kept)
        check_extension(self.limits, extension)
        if size > self.limits.bytes(extension):
            raise too_large(self.limits, extension)
        source.seek(0)
        if not file_kinds.fits(extension, source.read(file_kinds.HEAD)):
            raise Refusal("unsupported_file_type", f"The content is not that of a '{extension}' file.")
        source.seek(0)
        if (
            self.config.quota_bytes
            and files.unused_bytes(caller, self.config.unused_for) + size > self.config.quota_bytes
        ):
            allowed = self.config.quota_bytes // file_kinds.MEGABYTE
            raise Refusal(
                "file_too_large",
                f"Your uploads that no run has used yet may take {allowed} MB together.",
                hint="Use them in a run, or wait: unused uploads are deleted after a while.",
            )
        described = {"name": kept, "extension": extension, "mime_type": file_kinds.mime_type_of(extension, claimed)}
        return self._store(app, caller, source, size, "upload", described, self.config.unused_for, held)

    def make(self, app: App, caller: Caller, source: BinaryIO, size: int, *, name: str, mime_type: str) -> StoredFile:
        """Store a file that a run made; it belongs to whoever started the run."""
        extension = file_kinds.extension_of(name) or file_kinds.extension_for(mime_type)
        kept = file_kinds.safe_name(name.replace("/", "_").replace("\\", "_")) or "file"
        if extension and not file_kinds.extension_of(kept):
            kept = f"{kept}.{extension}"
        described = {"name": kept, "extension": extension, "mime_type": file_kinds.mime_type_of(extension, mime_type)}
        return self._store(app, caller, source, size, "run", described, self.config.kept_for)

    def discard(self, file_ids: Collection[str]) -> None:
        """Delete files that turned out to be of no use."""
        files.remove(file_ids)
        for file_id in file_ids:
            self._bytes.delete(file_id)

    def pieces(self, file: StoredFile) -> Iterator[bytes]:
        """A file's content, piece by piece.

        Refuses ``not_found`` when its bytes are gone, ``service_unavailable`` when the storage is away.
        """
        try:
            return self._bytes.pieces(file.id)
        except FileNotFoundError:
            logger.error("File %s has no content in the storage", file.id)
            raise Refusal("not_found", "The file's content is gone.") from None
        except OSError as error:
            raise Refusal("service_unavailable", "The file cannot be fetched now; try again later.") from error

    def linked(self, file_id: str, sign: str) -> StoredFile | None:
        """The file that a link leads to; None for a link that is wrong, or too old."""
        return files.for_link(file_id) if self.links.opens(file_id, sign) else None

    def relinked(self, text: str, owner: Owner, app_id: str) -> str:
        """What a run or a form said some time ago, with links that open: those of the owner's files for this app."""
        if not self.links.has_old(text):
            return text
        return self.links.renewed(text, lambda file_id: files.visible(owner, app_id, file_id) is not None)

    def sweep(self) -> int:
        """Delete the files whose time is over, and bytes that belong to no file; returns how many."""
        gone = 0
        while expired := files.expired():
            removed = [file_id for file_id in expired if files.remove_expired(file_id)]
            for file_id in removed:
                self._bytes.delete(file_id)
            gone += len(removed)
            if not removed:
                break
        return gone + self._sweep_orphans()

    def _sweep_orphans(self) -> int:
        # An upload writes its bytes before its row: only what is old enough was truly left behind. Whatever else is
        # kept in the same bucket is none of ours.
        old = clock().now() - ORPHANED_AFTER
        keys = [key for key, written in self._bytes.written() if written < old and _ID.fullmatch(key)]
        gone = 0
        for some in batched(keys, 500):
            for key in set(some) - files.known(some):
                self._bytes.delete(key)
                gone += 1
        return gone

    def _store(
        self,
        app: App,
        caller: Uploader,
        source: BinaryIO,
        size: int,
        origin: str,
        described: dict[str, str],
        kept_for: timedelta | None,
        held: Access | None = None,
    ) -> StoredFile:
        file_id = current_ids().uuid7()
        try:
            self._bytes.put(file_id, source)
        except OSError as error:
            logger.error("File %s could not be written", file_id, exc_info=error)
            raise not_stored() from error
        try:
            return files.create(
                file_id, app, caller, origin=origin, size=size, kept_for=kept_for, held=held, **described
            )
        except BaseException:
            self._bytes.delete(file_id)
            raise


def record(file: StoredFile) -> dict[str, Any]:
    """Model ``FileResponse``, with a fresh link."""
    return {
        "id": file.id,
        "reference": None,
        "name": file.name,
        "size": file.size,
        "extension": file.extension,
        "mime_type": file.mime_type,
        "created_by": file.created_by,
        "created_at": int(file.created_at.timestamp()),
        "preview_url": None,
        "source_url": current().links.url(file.id),
        "original_url": None,
        "user_id": None,
        "tenant_id": file.workspace_id,
        "conversation_id": None,
        "file_key": None,
    }


_current: Files | None = None


def configure(config: FileConfig, guard: AddressGuard) -> None:
    """Prepare to store files; nothing is written yet. ``guard`` says which remote addresses may be asked."""
    global _current
    _current = Files(config, guard)


def current() -> Files:
    """The files of this server. RuntimeError before `configure`."""
    if _current is None:
        raise RuntimeError("engine.files.service.configure() has not been called")
    return _current
