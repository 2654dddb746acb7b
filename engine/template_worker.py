"""The child process that renders templates: run as a script, it answers requests on its standard streams.

A template is code from a stranger. The sandbox keeps it from attributes and modules, but not from endless
loops or from filling the memory: the parent ends this process after a few seconds, and the limit set here
makes a greedy template fail alone. Requests and answers are JSON, each after its length in four bytes.
"""

from __future__ import annotations

import json
import resource
import struct
import sys
from typing import Any, BinaryIO


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


def main() -> None:
    """Answer ``{template, variables, limit}`` with ``{text}`` or ``{error}``, until the parent hangs up."""
    from jinja2 import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment, SecurityError

    memory = int(sys.argv[1])
    environment = ImmutableSandboxedEnvironment(autoescape=False)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    write_message(sink, {"ready": True})
    while (request := read_message(source)) is not None:
        try:
            size, parts = 0, []
            for part in environment.from_string(request["template"]).generate(**request["variables"]):
                size += len(part)
                if size > request["limit"]:
                    raise TemplateError(f"Output length exceeds {request['limit']} characters")
                parts.append(part)
            answer = {"text": "".join(parts)}
        except MemoryError:
            answer = {"error": "The template needed more memory than it may use"}
        except SecurityError as error:
            answer = {"error": f"The template is not allowed to do this: {error}"}
        except TemplateError as error:
            answer = {"error": f"{error}"}
        except RecursionError:
            answer = {"error": "The template is nested too deeply"}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        write_message(sink, answer)


if __name__ == "__main__":
    main()
