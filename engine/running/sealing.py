"""Encrypting what a paused run remembers: it holds the values of secret variables."""

from __future__ import annotations

import base64
import hashlib
import zlib


class SealBroken(Exception):
    """The text was sealed with another key, or changed."""


class Sealer:
    """Fernet (AES-128-CBC with HMAC-SHA256) under a key derived from the server's secret."""

    def __init__(self, secret: str) -> None:
        self._key = base64.urlsafe_b64encode(hashlib.sha256(b"difyspec checkpoint\0" + secret.encode()).digest())

    def seal(self, text: str) -> str:
        """Return the text compressed and encrypted, as ASCII."""
        # Imported when the first run pauses: a server that only serves runs that end has no use for it.
        from cryptography.fernet import Fernet

        return Fernet(self._key).encrypt(zlib.compress(text.encode("utf-8", "surrogatepass"))).decode()

    def unseal(self, sealed: str) -> str:
        """Return the text again. Raises `SealBroken`."""
        from cryptography.fernet import Fernet, InvalidToken

        try:
            return zlib.decompress(Fernet(self._key).decrypt(sealed.encode())).decode("utf-8", "surrogatepass")
        except InvalidToken:
            raise SealBroken("sealed with another secret_key, or changed") from None
