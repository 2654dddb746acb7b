"""Code nodes: what authors may rely on."""

from __future__ import annotations

from typing import Any

import pytest

from engine.running.cancel import CancelToken
from engine.sandbox import python_code
from engine.sandbox.pool import CodeRefused, SandboxPool
from tests.engine.graphs import chain_document, code, node


def finished(events: list[dict[str, Any]]) -> dict[str, Any]:
    return events[-1]["data"]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("python3", "def main(word: str, n: int) -> dict:\n    return {'result': word * n}"),
        ("javascript", "function main({word, n}) { return {result: word.repeat(n)}; }"),
        ("javascript", "const main = async ({word, n}) => ({result: await Promise.resolve(word.repeat(n))});"),
    ],
)
def test_main_gets_the_variables_and_gives_the_outputs(bench: Any, language: str, text: str) -> None:
    variables = [{"variable": "word", "value_selector": ["start", "word"]}]
    middle = code("code", text, language, result="string")
    middle["data"]["variables"] = [*variables, {"variable": "n", "value_selector": ["start", "n"]}]
    definition = chain_document(middle, "result")
    definition["graph"]["nodes"][0]["data"]["variables"] = [
        {"variable": "word", "type": "text-input", "label": "w", "required": True},
        {"variable": "n", "type": "number", "label": "n", "required": True},
    ]
    assert finished(bench.run(definition, {"word": "añ", "n": 3}))["outputs"] == {"result": "añañañ"}


MANY = {
    "string": ("'x' * 400_001", "The length of output variable `result` must be less than 400000 characters"),
    "number": (
        "10 ** 19",
        "Output variable `result` is out of range, it must be between -9223372036854775807 and 9223372036854775807.",
    ),
    "array[string]": ("['x'] * 31", "The length of output variable `result` must be less than 30 elements."),
    "array[object]": ("[{}] * 31", "The length of output variable `result` must be less than 30 elements."),
    "array[number]": ("[1] * 1001", "The length of output variable `result` must be less than 1000 elements."),
    "object": (
        "{'a': {'b': {'c': {'d': {'e': {'f': 1}}}}}}",
        "Depth limit 5 reached, object too deep.",
    ),
}


@pytest.mark.parametrize("kind", MANY)
def test_an_output_beyond_its_limit_fails_the_node_with_the_limit(bench: Any, kind: str) -> None:
    value, message = MANY[kind]
    events = bench.run(chain_document(code("code", f"def main():\n    return {{'result': {value}}}", result=kind)))
    assert finished(events)["status"] == "failed"
    assert finished(events)["error"] == message


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ("{}", "Output result is missing."),
        ("{'result': 'x', 'more': 1}", "Not all output parameters are validated."),
        ("{'result': 1}", "Output result must be a string, got int instead."),
        ("'text'", "main must return a dict with its outputs"),
        ("None", "main must return a dict with its outputs"),
        ("{'result': {1, 2}}", "The result is not plain data: Object of type set is not JSON serializable"),
    ],
)
def test_outputs_that_are_not_as_declared_fail_the_node(bench: Any, returned: str, message: str) -> None:
    events = bench.run(chain_document(code("code", f"def main():\n    return {returned}", result="string")))
    assert finished(events)["error"] == message


@pytest.mark.parametrize(
    ("language", "text", "message"),
    [
        ("python3", "x = 1\ndef main():\n    return 1 / 0", "ZeroDivisionError: division by zero (line 3)"),
        ("python3", "def main(:", "SyntaxError: invalid syntax (line 1)"),
        ("python3", "x = 1", "The code must define a function named main"),
        ("python3", "import requests", "ModuleNotFoundError: The module 'requests' is not available to code (line 1)"),
        ("javascript", "function main() {\n  return missing;\n}", "ReferenceError: missing is not defined (line 2)"),
        ("javascript", "async function main() {\n  throw new Error('no');\n}", "Error: no (line 2)"),
        ("javascript", "let x = 1", "The code must define a function named main"),
        ("javascript", "function main() { return 3 }", "main must return an object with its outputs"),
        (
            "javascript",
            "const main = () => new Promise(() => {})",
            "main did not finish: it waits for something that never comes",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line_and_without_our_own_frames(
    bench: Any, language: str, text: str, message: str
) -> None:
    events = bench.run(chain_document(code("code", text, language, result="string")))
    assert finished(events)["status"] == "failed"
    assert finished(events)["error"] == message


def test_a_failing_code_node_takes_its_fail_branch_with_the_reason(bench: Any) -> None:
    failing = code("code", "def main():\n    raise ValueError('no')", error_strategy="fail-branch", result="string")
    definition = chain_document(failing, "error_message")
    definition["graph"]["edges"][1]["sourceHandle"] = "fail-branch"
    end = finished(bench.run(definition))
    assert (end["status"], end["outputs"]) == ("partial-succeeded", {"result": "ValueError: no (line 2)"})


WORKING = {
    "json": "json.loads(json.dumps({'a': [1, 2.5, None]}))['a'][1] == 2.5",
    "re": "re.findall(r'(?i)b+', 'aBb')[0] == 'Bb'",
    "datetime": "datetime.datetime.strptime('2026-01-02', '%Y-%m-%d').astimezone().year == 2026",
    "zoneinfo": "str(datetime.datetime(2026, 7, 1, tzinfo=zoneinfo.ZoneInfo('Asia/Tokyo'))).endswith('+09:00')",
    "hashlib": "hashlib.sha256(b'x').hexdigest()[:4] == '2d71' and hashlib.md5(b'x').hexdigest()[:4] == '9dd4'",
    "base64": "base64.b64encode(b'ab') == b'YWI='",
    "uuid": "len(str(uuid.uuid4())) == 36",
    "random": "0 <= random.random() < 1 and secrets.token_hex(2)",
    "decimal": "decimal.Decimal('1.1') + decimal.Decimal('2.2') == decimal.Decimal('3.3')",
    "statistics": "statistics.mean([1, 2, 3]) == 2",
    "urllib.parse": "urllib.parse.quote('ä b') == '%C3%A4%20b'",
    "xml.etree.ElementTree": "xml.etree.ElementTree.fromstring('<a><b>1</b></a>').find('b').text == '1'",
    "csv": "list(csv.reader(io.StringIO('a,b')))[0] == ['a', 'b']",
    "codecs": "'é'.encode('gbk', 'replace') and 'é'.encode('utf-16') and 'bücher'.encode('idna')",
    "html": "html.unescape('&amp;') == '&'",
    "textwrap": "textwrap.shorten('hello world', 8, placeholder='…') == 'hello…'",
    "time": "time.sleep(0.01) is None and time.localtime().tm_year > 2000",
    "threading": "threading.Lock().acquire()",
    "itertools": "sum(x for x in itertools.islice(itertools.count(), 4)) == 6",
    "collections": "collections.Counter('aab').most_common(1) == [('a', 2)]",
}


@pytest.fixture(scope="module")
def pool() -> Any:
    made = SandboxPool(seconds=10, memory_bytes=256 * 1024 * 1024, answer_bytes=1 << 20)
    yield made
    made.close()


@pytest.mark.parametrize("name", WORKING)
def test_the_useful_part_of_the_library_works_in_code(pool: SandboxPool, name: str) -> None:
    imports = f"import collections, csv, datetime, io, itertools, secrets, {name}"
    text = f"{imports}\ndef main():\n    return {{'ok': bool({WORKING[name]})}}"
    assert pool.run("python3", text, {}, CancelToken()) == {"ok": True}


def test_every_module_that_is_offered_can_be_imported(pool: SandboxPool) -> None:
    text = "\n".join(f"import {name}" for name in python_code.MODULES) + "\ndef main(): return {}"
    assert pool.run("python3", text, {}, CancelToken()) == {}


def test_classes_generators_and_recursion_work_as_in_any_python(pool: SandboxPool) -> None:
    text = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "@dataclass\nclass Base:\n    n: int\nclass Deep(Base):\n    def up(self):\n        yield from range(self.n)\n"
        "def fact(n): return 1 if n < 2 else n * fact(n - 1)\n"
        "def main(n): return {'list': list(Deep(n).up()), 'fact': fact(20)}"
    )
    assert pool.run("python3", text, {"n": 3}, CancelToken()) == {"list": [0, 1, 2], "fact": 2432902008176640000}


def test_what_one_piece_of_code_does_to_its_process_is_gone_for_the_next(pool: SandboxPool) -> None:
    spoil = "import json, builtins\ndef main():\n    json.loads = None; builtins.sum = None; return {'ok': 1}"
    assert pool.run("python3", spoil, {}, CancelToken()) == {"ok": 1}
    look = "import json\ndef main(): return {'n': sum(json.loads('[1, 1]'))}"
    assert pool.run("python3", look, {}, CancelToken()) == {"n": 2}


def test_a_result_is_cut_to_what_json_can_carry(pool: SandboxPool) -> None:
    text = "def main(): return {'half': 'a\\ud800b', 'key': {1: 'x'}, 'pair': (1, 2)}"
    assert pool.run("python3", text, {}, CancelToken()) == {"half": "a?b", "key": {"1": "x"}, "pair": [1, 2]}


def test_a_node_type_of_another_language_is_an_incomplete_node(bench: Any) -> None:
    ruby = node("code", "code", code="x", code_language="ruby", outputs={}, variables=[])
    events = bench.run(chain_document(ruby))
    assert finished(events)["error"] == (
        "The node is not complete: code_language: Input should be 'python3' or 'javascript'"
    )


def test_variables_that_are_too_large_are_refused_before_they_are_sent(pool: SandboxPool) -> None:
    text = "x" * 400_000
    with pytest.raises(CodeRefused, match="The code's variables hold more than 16777216 characters"):
        pool.run("python3", "def main(**k): return {}", {f"v{number}": text for number in range(50)}, CancelToken())
