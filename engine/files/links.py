"""Links to files: signed, and good for a while.

The signature covers the file's id and the time it was made, so a link opens one file and no other, and none
for ever. It is the permission: whoever has the link may fetch the file.
"""

from __future__ import annotations

import hashlib

from itsdangerous import BadSignature, TimestampSigner

from store import clock

SALT = "difyspec.file"


class _Signer(TimestampSigner):
    def get_timestamp(self) -> int:
        return int(clock.current().now().timestamp())


class FileLinks:
    """Makes and checks links. In: the server's secret, the address of the API, the life of a link in seconds."""

    def __init__(self, secret: str, api_url: str, seconds: int) -> None:
        self._signer = _Signer(secret, salt=SALT, key_derivation="hmac", digest_method=hashlib.sha256)
        self._api_url, self._seconds = api_url.rstrip("/"), seconds

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
