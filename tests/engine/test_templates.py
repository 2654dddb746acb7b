"""Templates are code from strangers: what they can do, and what they cannot."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2.defaults import DEFAULT_FILTERS
from jinja2.sandbox import ImmutableSandboxedEnvironment

from engine.nodes.templates import TemplatePool, TemplateRefused
from engine.running.cancel import Cancelled, CancelToken
from tests.engine.tripped import TrippedAtWork
from tests.engine.unfenced import unfenced_python

# Days of work.
ENDLESS = "{% for a in range(90000) %}" * 3 + "{% endfor %}" * 3


@pytest.fixture
def pool() -> Iterator[TemplatePool]:
    made = TemplatePool(seconds=60, memory_bytes=256 * 1024 * 1024, limit=1000)
    yield made
    made.close()


def refused(pool: TemplatePool, template: str, **variables: object) -> str:
    with pytest.raises(TemplateRefused) as caught:
        pool.render(template, variables, CancelToken())
    return str(caught.value)


def test_a_template_sees_its_variables(pool: TemplatePool) -> None:
    text = pool.render(
        "{{ name | upper }}: {{ items | join(', ') }} ü", {"name": "bee", "items": [1, 2]}, CancelToken()
    )
    assert text == "BEE: 1, 2 ü"


def test_an_endless_template_is_ended_and_the_next_one_works() -> None:
    pool = TemplatePool(seconds=1, memory_bytes=256 * 1024 * 1024, limit=1000)
    assert refused(pool, ENDLESS) == "The template took longer than 1 seconds"
    assert pool.render("fine", {}, CancelToken()) == "fine"
    pool.close()


@pytest.mark.parametrize("greedy", ["{{ 'a' * 10**9 }}", "{% set x = [0] * 10**9 %}"])
def test_a_greedy_template_fails_alone(pool: TemplatePool, greedy: str) -> None:
    assert refused(pool, greedy) == "The template needed more memory than it may use"
    assert pool.render("fine", {}, CancelToken()) == "fine"


def test_a_long_output_is_refused_with_the_limit(pool: TemplatePool) -> None:
    assert refused(pool, "{% for a in range(2000) %}x{% endfor %}") == "Output length exceeds 1000 characters"


@pytest.mark.parametrize(
    "attack",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ self.__init__.__globals__ }}",
        "{{ cycler.__init__.__globals__.os.environ }}",
        "{{ items.append(1) }}",
        "{% include '/etc/passwd' %}",
        "{{ '%s' | format('x').__class__ }}",
        "{{ '{0.__class__.__mro__}' | format(1) ~ '{0.__class__}'.format(1) }}",
        "{{ ('' | attr('__class__') | attr('__mro__'))[1] }}",
        "{{ lipsum.__globals__['os'].popen('id').read() }}",
        "{% for x in range(10 ** 9) %}{% endfor %}",
        "{{ joiner.__init__.__globals__ }}",
        "{% import 'os' as os %}",
    ],
)
def test_a_template_cannot_leave_the_sandbox(pool: TemplatePool, attack: str) -> None:
    assert refused(pool, attack, items=[])


VALUES = ["'a <b>c</b> http://x.y'", "[3, 1, 2]", "{'b': 1, 'a': [2]}", "3.7", "none"]


@pytest.mark.parametrize("name", sorted(set(DEFAULT_FILTERS) - {"random"}))
def test_every_filter_works_behind_the_fence_as_it_does_before_it(pool: TemplatePool, name: str) -> None:
    """What the library first loads when it is used must have been loaded before: nothing can be loaded after."""
    for value in VALUES:
        template = f"{{{{ {value} | {name} | string | replace('0x', '') | length }}}}"
        try:
            expected = ImmutableSandboxedEnvironment().from_string(template).render()
        except Exception as error:
            expected = str(error)
        try:
            found = pool.render(template, {}, CancelToken())
        except TemplateRefused as error:
            found = str(error).partition(": ")[2] or str(error)
        assert found in expected or expected in found


def test_the_process_of_a_template_is_fenced_in_case_the_sandbox_leaks(pool: TemplatePool) -> None:
    """What a template would need after it got out of the sandbox: the process itself is asked."""
    pool.render("{{ lipsum(1) and range(3) | random }}", {}, CancelToken())
    status = Path(f"/proc/{pool._idle[0].process.pid}/status").read_text()
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert (facts["Seccomp"], facts["NoNewPrivs"]) == ("2", "1")
    assert os.getuid() != 0 or set(facts["Uid"].split()) == {"65534"}
    assert os.getpriority(os.PRIO_PROCESS, pool._idle[0].process.pid) > os.getpriority(os.PRIO_PROCESS, 0)


def test_a_host_without_a_fence_renders_templates_within_their_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", unfenced_python(tmp_path))
    pool = TemplatePool(seconds=1, memory_bytes=256 * 1024 * 1024, limit=1000)
    assert pool.render("{{ name }}", {"name": "bee"}, CancelToken()) == "bee"
    assert refused(pool, "{{ 'a' * 10**9 }}") == "The template needed more memory than it may use"
    assert "is unsafe" in refused(pool, "{{ ''.__class__.__mro__ }}")
    pool.close()


def test_a_process_that_does_not_start_is_not_taken_for_a_greedy_template(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    pool = TemplatePool(seconds=1, memory_bytes=256 * 1024 * 1024, limit=1000)
    assert refused(pool, "x") == "The process that renders templates does not start on this host"


def test_what_templates_compute_of_constants_takes_no_memory_from_later_ones() -> None:
    pool = TemplatePool(seconds=20, memory_bytes=160 * 1024 * 1024, limit=1000)
    for number in range(12):
        constants = f"{{% set x = 'a' * {10_000_000 + number} %}}fine"
        assert pool.render(constants, {}, CancelToken()) == "fine"
    pool.close()


def test_a_template_error_is_told_in_a_sentence(pool: TemplatePool) -> None:
    assert "Traceback" not in refused(pool, "{% if %}")
    assert refused(pool, "{{ 1 / 0 }}") == "ZeroDivisionError: division by zero (line 1)"


def test_the_end_of_its_run_ends_a_template_at_once() -> None:
    pool = TemplatePool(seconds=1_000_000, memory_bytes=256 * 1024 * 1024, limit=1000)
    with pytest.raises(Cancelled):
        pool.render(ENDLESS, {}, TrippedAtWork())
    pool.close()


def test_many_templates_at_once_each_get_their_own_answer(pool: TemplatePool) -> None:
    found: dict[int, str] = {}

    def work(number: int) -> None:
        found[number] = pool.render("{{ n }}", {"n": number}, CancelToken())

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: str(number) for number in range(8)}


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("a\n{% if x %}", "The innermost block that needs to be closed is 'if'. (line 2)"),
        ("a\n\n{{ 'x'|nothing }}", "No filter named 'nothing'. (line 3)"),
        ("a\n{{ name.first.last }}", "'name' is undefined (line 2)"),
        ("a\n{{ 1 / 0 }}", "ZeroDivisionError: division by zero (line 2)"),
    ],
)
def test_what_fails_is_told_with_its_line(pool: TemplatePool, template: str, told: str) -> None:
    assert refused(pool, template).endswith(told)


def test_variables_that_are_too_large_are_refused_before_they_are_sent(pool: TemplatePool) -> None:
    text = "x" * 400_000
    told = refused(pool, "fine", **{f"v{number}": text for number in range(50)})
    assert told == "The template's variables hold more than 16777216 characters"
