"""What the stops of the journey are made of: settings, contract, handlers, counters, threads, documents and
pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from starlette.types import ASGIApp

from server.address import of_environ, of_scope
from server.blueprint import DEFAULT, Blueprint, OperationObject, snake
from server.claims import Claims, Handler
from server.documents import documents
from server.limits import DEAD_TOKENS, PER_ACCOUNT, PER_TOKEN, Counters, Rule, rules_of
from server.multipart import Uploads, file_part
from server.multipart_reader import MEDIA
from server.security import DeadTokens, Guards
from server.settings import Settings
from server.sign_in_turns import SignInTurns
from server.threads import PageThreads, Threads
from store.attempts import Attempts
from store.code_guesses import CodeGuesses
from store.windows import Bucket
from web.hosts import Hosts

PAGE_THREADS = 8
API_LEVEL = "1.14.2"  # of the API that is spoken here; clients compare it with the range they support


class Parts:
    """In: the settings; for tests also another contract, other handlers, and no pages."""

    def __init__(
        self,
        settings: Settings,
        contract: Path | str | dict[str, Any] = DEFAULT,
        handlers: str | Mapping[str, Handler] = "handlers",
        with_pages: bool = True,
    ) -> None:
        self.settings = settings
        self.api_level = API_LEVEL
        self.blueprint = Blueprint(contract)
        self.claims = Claims(self.blueprint, handlers)
        self.threads = Threads(settings.request_threads, settings.trusted_proxies)
        self.uploads = Uploads(settings.file_folder / "incoming", settings.file_limits)
        self.counters = Counters(settings.redis_url)
        self.attempts = Attempts(settings.redis_url)
        self.code_guesses = CodeGuesses(self.attempts, self.code_buckets())
        self.documents = documents(self.blueprint, API_LEVEL)
        public = urlsplit(settings.base_url)
        self.hosts = Hosts(settings.base_url, settings.host, settings.allowed_hosts)
        self.guards = Guards([f"{public.scheme}://{public.netloc}"], self.threads, self.hosts, self._dead_tokens())
        self.pages = pages(settings, self.attempts, self.code_guesses, self.hosts) if with_pages else None

    def rules(self, *keys: str) -> dict[str, list[Rule]]:
        """The rate limits by operationId that count by one of these keys; none at all when they are switched
        off.
        """
        if not self.settings.rate_limits:
            return {}
        found = {}
        for name, operation in self.blueprint.operations.items():
            rules = rules_of(operation.raw, self.blueprint.takes_bearer(operation), self._sizes())
            found[name] = [rule for rule in rules if rule.key in keys and not rule.counts_wrong]
        return found

    def code_buckets(self) -> dict[str, Bucket]:
        """The buckets of wrong user codes, by whose they are."""
        if not self.settings.rate_limits:
            return {}
        raws = [operation.raw for operation in self.blueprint.operations.values()]
        return {rule.key: rule.bucket for raw in raws for rule in rules_of(raw, False, {}) if rule.counts_wrong}

    def _sizes(self) -> dict[str, int]:
        settings = self.settings
        return {PER_TOKEN: settings.rate_limit_per_token, PER_ACCOUNT: settings.rate_limit_per_account}

    def _dead_tokens(self) -> DeadTokens | None:
        most = self.settings.rate_limit_dead_tokens
        if not self.settings.rate_limits or not most:
            return None
        rule = Rule(Bucket(DEAD_TOKENS, most, 60), "address")
        return DeadTokens(self.counters, rule, partial(of_scope, trusted=self.settings.trusted_proxies))

    def offered(self, operation: OperationObject) -> frozenset[str]:
        """The arguments that the contract offers to the operation's handler."""
        names = {snake(item["name"]) for item in operation.parameters}
        if operation.takes_file:
            return frozenset(names | {file_part(self.upload_schema(operation))})
        return frozenset(names | ({"body"} if "requestBody" in operation.raw else set()))

    def upload_schema(self, operation: OperationObject) -> dict[str, Any]:
        """The schema of an operation's multipart body."""
        schema: dict[str, Any] = self.blueprint.schemas.deref(operation.raw["requestBody"]["content"][MEDIA]["schema"])
        return schema


def pages(settings: Settings, attempts: Attempts, code_guesses: CodeGuesses, hosts: Hosts) -> ASGIApp:
    """The Flask pages as an ASGI app. What is guessed at them is counted together with what is guessed at the API."""
    from a2wsgi import WSGIMiddleware

    from web.pages import create_pages

    address_of = partial(of_environ, trusted=settings.trusted_proxies)
    flask = create_pages(settings.base_url, settings.secret(), address_of, attempts, code_guesses, hosts)
    mounted = WSGIMiddleware(flask.wsgi_app)
    mounted.executor = PageThreads(PAGE_THREADS, settings.trusted_proxies)
    return SignInTurns(cast(ASGIApp, mounted), partial(of_scope, trusted=settings.trusted_proxies))


def server_version() -> str:
    """The version of this distribution."""
    try:
        return version("difyspec")
    except PackageNotFoundError:
        return "0"
