"""The child process that renders templates: run as a script, it answers requests on its standard streams.

A template is code from a stranger. Jinja's sandbox keeps it from attributes and modules, but not from endless
loops or from filling the memory: the parent ends this process after a few seconds, and the limit set here
makes a greedy template fail alone. Should the sandbox leak, the fence around the process still holds, where the host
has one: no file, no network, no process, no environment. Requests and answers are JSON, each after its length in four
bytes.
"""

from __future__ import annotations

import codecs
import functools
import importlib
import json
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

sys.path.insert(0, str(Path(__file__).parents[2]))  # isolated mode leaves the script's own place out

from engine.sandbox import fence

if TYPE_CHECKING:
    from jinja2 import Environment, Template


def read_message(stream: BinaryIO) -> Any:
    """Read one message; None at the end of the stream."""
    head = stream.read(4)
    if len(head) < 4:
        return None
    return json.loads(stream.read(struct.unpack(">I", head)[0]))


def write_message(stream: BinaryIO, message: Any) -> None:
    """Write one message."""
    body = json.dumps(message).encode()
    stream.write(struct.pack(">I", len(body)) + body)
    stream.flush()


_MOST_CODE = 5_000_000  # characters

# What the template library imports when it first needs it; behind the fence nothing can be loaded any more.
_LOADED_LATER = (
    "html", "inspect", "jinja2.constants", "jinja2.debug", "json", "linecache", "pprint", "random", "textwrap",
    "tokenize", "traceback",
)  # fmt: skip


def _line(error: Exception) -> str:
    """Where in the template, as far as it is known: what cannot be read says so, what fails is in the trace."""
    number, trace = getattr(error, "lineno", None), error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            number = trace.tb_lineno
        trace = trace.tb_next
    return f" (line {number})" if number else ""


class _Compiled:
    """Keeps the last templates as code; reading one costs several times what filling it in does.

    What a template computes of constants becomes a part of its code, and Python may keep that for good. So a process is
    ``spent`` after much code: a few templates would leave no memory to the others.
    """

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._read = 0
        self.template = functools.lru_cache(maxsize=64)(self._template)

    @property
    def spent(self) -> bool:
        return self._read > _MOST_CODE

    def _template(self, text: str) -> Template:
        source: str = self._environment.compile(text, raw=True)
        self._read += len(source)
        code = compile(source, "<template>", "exec")
        return self._environment.template_class.from_code(
            self._environment, code, self._environment.make_globals(None), None
        )


def main() -> None:
    """Answer ``{template, variables, limit}`` with ``{text}`` or ``{error}``, until the parent hangs up.

    An answer with ``spent`` says that another process should take the next one.
    """
    from jinja2 import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment, SecurityError

    memory = int(sys.argv[1])
    environment = ImmutableSandboxedEnvironment(autoescape=False)
    compiled = _Compiled(environment)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    for name in _LOADED_LATER:
        importlib.import_module(name)
    codecs.lookup("unicode-escape")  # how string literals are read
    fence.close_or_limit(memory_bytes=memory)
    write_message(sink, {"ready": True})
    answer: dict[str, Any]
    while (request := read_message(source)) is not None:
        try:
            size, parts = 0, []
            for part in compiled.template(request["template"]).generate(**request["variables"]):
                size += len(part)
                if size > request["limit"]:
                    raise TemplateError(f"Output length exceeds {request['limit']} characters")
                parts.append(part)
            answer = {"text": "".join(parts)}
        except MemoryError:
            answer = {"error": "The template needed more memory than it may use", "spent": True}
        except SecurityError as error:
            answer = {"error": f"The template is not allowed to do this: {error}"}
        except TemplateError as error:
            answer = {"error": f"{error.message}{_line(error)}"}
        except RecursionError:
            answer = {"error": "The template is nested too deeply"}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}{_line(error)}"}
        if compiled.spent:
            answer["spent"] = True
        write_message(sink, answer)


if __name__ == "__main__":
    main()
