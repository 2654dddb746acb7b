"""One server under test, as schemathesis meets it: every request is signed, steered and written down."""

from __future__ import annotations

import contextlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import hypothesis
import schemathesis
from hypothesis.errors import FlakyStrategyDefinition
from schemathesis import Case
from schemathesis.generation.stateful.state_machine import DEFAULT_STATE_MACHINE_SETTINGS

from tests.fuzz import view
from tests.fuzz.cases import Steering
from tests.fuzz.ground import Ground


class Door:
    """An ASGI app that stands for another one. schemathesis wants the app when tests are collected, and ends its
    lifespan after each test; the app behind the door is made later and stays open.
    """

    def __init__(self) -> None:
        self.app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"{scope['type']} is not served")
        await self.app(scope, receive, send)


class Target:
    """A server in process (behind ``door``) or not. The answer to a ``known_defect`` is not looked at."""

    def __init__(self, *, in_process: bool, known_defect: Callable[[Case], bool] = lambda case: False) -> None:
        self.known_defect = known_defect
        self.door = Door() if in_process else None
        self.schema = view.schema(self.door)
        self.seen: dict[str, Counter[int]] = defaultdict(Counter)
        self.call_options: dict[str, Any] = {}

    @contextmanager
    def on(self, ground: Ground) -> Iterator[None]:
        """Within, every request of schemathesis is made for this ground."""
        self.call_options = ground.call_options
        steering = Steering(ground)

        def before_call(context: Any, case: Case, kwargs: dict[str, Any]) -> None:
            steering.before_call(case)

        def after_call(context: Any, case: Case, response: Any) -> None:
            if case.method == case.operation.method.upper():
                self.seen[case.operation.definition.raw["operationId"]][response.status_code] += 1
            if response.status_code == 200 and response.headers["content-type"] == ["application/json"]:
                steering.learn(response.json())

        schemathesis.hook(before_call)
        schemathesis.hook(after_call)
        try:
            yield
        finally:
            schemathesis.hooks.unregister(before_call)
            schemathesis.hooks.unregister(after_call)

    def check(self, case: Case) -> None:
        """Send one generated request; its answer must pass every check there is."""
        if not self.known_defect(case):
            case.call_and_validate(**self.call_options)

    def tell_stories(self, tag: str) -> None:
        """Walk through the operations around a tag in random order, each with what the ones before it answered."""
        options, known_defect = self.call_options, self.known_defect
        told = 0
        machine: Any = view.schema(self.door, only=view.stories()[tag]).as_state_machine()

        class Story(machine):  # type: ignore[misc]
            def setup(self) -> None:
                nonlocal told
                told += 1

            def get_call_kwargs(self, case: Case) -> dict[str, Any]:
                return options

            def validate_response(self, response: Any, case: Case, **kwargs: Any) -> None:
                if not known_defect(case):
                    super().validate_response(response, case, **kwargs)

        while told < view.STORIES:
            settings = hypothesis.settings(
                DEFAULT_STATE_MACHINE_SETTINGS, max_examples=view.STORIES - told, stateful_step_count=view.STEPS
            )
            # hypothesis gives up on a series when the same steps have another outcome than before, as they do where
            # each code works once. That says nothing about the answers, which were checked: begin a new series.
            with contextlib.suppress(FlakyStrategyDefinition):
                hypothesis.seed(view.SEED + told)(Story).run(settings=settings)

    def never_succeeded(self) -> set[str]:
        """The operations that were never answered with a success."""
        return {name for name in view.OPERATIONS if not any(200 <= status < 300 for status in self.seen[name])}
