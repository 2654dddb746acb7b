"""Encrypting what a paused run remembers: it holds the values of secret variables."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Iterable


class SealBroken(Exception):
    """The text was sealed with another key, or changed."""


class Sealer:
    """Fernet (AES-128-CBC with HMAC-SHA256) under a key derived from the server's secret. What was sealed with one of
    the ``old`` secrets is opened too.
    """

    def __init__(self, secret: str, old: Iterable[str] = ()) -> None:
        self._key, *self._old = (
            base64.urlsafe_b64encode(hashlib.sha256(b"difyspec checkpoint\0" + one.encode()).digest())
            for one in (secret, *old)
        )

    def seal(self, text: str) -> str:
        """Return the text compressed and encrypted, as ASCII."""
        # Imported when the first run pauses: a server that only serves runs that end has no use for it.
        from cryptography.fernet import Fernet

        return Fernet(self._key).encrypt(zlib.compress(text.encode("utf-8", "surrogatepass"))).decode()

    def unseal(self, sealed: str) -> str:
        """Return the text again. Raises `SealBroken`."""
        from cryptography.fernet import Fernet, InvalidToken

        for key in (self._key, *self._old):
            try:
                return zlib.decompress(Fernet(key).decrypt(sealed.encode())).decode("utf-8", "surrogatepass")
            except InvalidToken:
                continue
        raise SealBroken("sealed with another secret_key, or changed")

    def is_own(self, sealed: str) -> bool:
        """Whether a text was sealed with the secret, not with an old one."""
        from cryptography.fernet import Fernet, InvalidToken

        try:
            Fernet(self._key).decrypt(sealed.encode())
        except InvalidToken:
            return False
        return True

    def renew(self, sealed: str) -> str:
        """Return a text sealed with the secret; one that is already stays as it is. Raises `SealBroken`."""
        return sealed if self.is_own(sealed) else self.seal(self.unseal(sealed))
