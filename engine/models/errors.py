"""Failures of models, by the names that a node's ``error_type`` and fail branches show.

The engine's own classes are used, so that apps written against Dify find the names they test for.
"""

from __future__ import annotations

from graphon.model_runtime.errors.invoke import (
    InvokeAuthorizationError,
    InvokeBadRequestError,
    InvokeConnectionError,
    InvokeError,
    InvokeRateLimitError,
    InvokeServerUnavailableError,
)


class KeyMissing(InvokeAuthorizationError):
    """The back end wants a key, and the operator gave none."""


class QuotaSpent(InvokeRateLimitError):
    """The account behind the key has nothing left."""


class ModelMissing(InvokeBadRequestError):
    """The back end does not know the model."""


KINDS: dict[str, type[InvokeError]] = {
    "error": InvokeError,
    "connection": InvokeConnectionError,
    "unavailable": InvokeServerUnavailableError,
    "rate_limit": InvokeRateLimitError,
    "authorization": InvokeAuthorizationError,
    "bad_request": InvokeBadRequestError,
    "no_key": KeyMissing,
    "no_quota": QuotaSpent,
    "no_model": ModelMissing,
}
