"""Links to files: signed, and good for a while.

The signature covers the file's id and the time it was made, so a link opens one file and no other, and none
for ever. It is the permission: whoever has the link may fetch the file.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import islice

from itsdangerous import BadSignature, SignatureExpired, TimestampSigner

from store import clock

SALT = "difyspec.file"
MOST = 1000  # links that are looked at in one text: an answer of megabytes may be nothing but links


class _Signer(TimestampSigner):
    def get_timestamp(self) -> int:
        return int(clock.current().now().timestamp())


class FileLinks:
    """Makes and checks links. In: the server's secret, the address of the API, the life of a link in seconds,
    secrets of before whose links still open.
    """

    def __init__(self, secret: str, api_url: str, seconds: int, old: Sequence[str] = ()) -> None:
        self._signer = _Signer([*old, secret], salt=SALT, key_derivation="hmac", digest_method=hashlib.sha256)
        self._api_url, self._seconds = api_url.rstrip("/"), seconds
        self._link = re.compile(re.escape(f"{self._api_url}/files/") + r"([0-9a-f-]{36})\?sign=([\w-]+\.[\w-]+)")

    def url(self, file_id: str) -> str:
        """An absolute link to a file's content."""
        signed = self._signer.sign(file_id).decode()
        return f"{self._api_url}/files/{file_id}?sign={signed[len(file_id) + 1 :]}"

    def opens(self, file_id: str, sign: str) -> bool:
        """Whether this signature, still in its time, was made for this very file."""
        try:
            self._signer.unsign(f"{file_id}.{sign}", max_age=self._seconds)
        except BadSignature:
            return False
        return True

    def is_open(self, url: str) -> bool:
        """Whether an address is a link of this server that opens a file now."""
        found = self._link.fullmatch(url)
        return found is not None and self.opens(found[1], found[2])

    def has_old(self, text: str) -> bool:
        """Whether a text has links that have expired, or have less than half of their time left."""
        return "?sign=" in text and any(self._is_old(*found.groups()) for found in self._first(text))

    def renewed(self, text: str, may: Callable[[str], bool]) -> str:
        """The text with fresh links for old ones, of the first ``MOST``, to files of which ``may`` (by id) is true."""
        allowed = cache(may)

        def fresh(found: re.Match[str]) -> str:
            file_id = found[1]
            return self.url(file_id) if self._is_old(file_id, found[2]) and allowed(file_id) else found[0]

        return self._link.sub(fresh, text, count=MOST)

    def _first(self, text: str) -> Iterator[re.Match[str]]:
        return islice(self._link.finditer(text), MOST)

    def _is_old(self, file_id: str, sign: str) -> bool:
        # What was never signed here is no link of ours, however old.
        try:
            self._signer.unsign(f"{file_id}.{sign}", max_age=self._seconds // 2)
        except SignatureExpired:
            return True
        except BadSignature:
            return False
        return False
