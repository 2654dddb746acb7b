"""Running a piece of JavaScript (QuickJS): its function ``main`` is called with one object, the inputs."""

from __future__ import annotations

import json
import re
from typing import Any

# The wrapper module starts a thread when it is imported; a process that forks must not have one.
import _quickjs as quickjs

from engine.sandbox.python_code import CodeError

_STACK = 2 * 1024 * 1024
_TEXT = 2000
# QuickJS throws null where there is no memory left for an error; by then what filled it is gone.
_NULL = "The code threw null; this is also how it ends when it needs more memory than it may use"
_CONSOLE = "globalThis.console = {}; for (const n of ['log','info','warn','error','debug']) console[n] = () => {};"
_CALL = """(() => {
  const outcome = {};
  globalThis.__outcome = outcome;
  if (typeof main !== 'function') { outcome.error = 'The code must define a function named main'; return; }
  const text = JSON.stringify;
  const told = (error) => error instanceof Error ? String(error) + '\\n' + error.stack
    : typeof error === 'string' ? error : 'The code threw ' + text(error);
  new Promise((resolve) => resolve(main(JSON.parse(globalThis.__inputs))))
    .then((value) => { outcome.value = text(value === undefined ? null : value); })
    .catch((error) => { outcome.error = told(error); });
})()"""


def run(code: str, inputs: dict[str, Any], memory_bytes: int) -> Any:
    """Return what ``main`` returns, also when it is asynchronous. Raises `CodeError`."""
    context = quickjs.Context()
    context.set_max_stack_size(_STACK)
    context.set_memory_limit(memory_bytes)
    lines = code.count("\n") + 1
    try:
        context.eval(_CONSOLE)
        context.set("__inputs", json.dumps(inputs))
        context.eval(code)
        context.eval("\n" * lines + _CALL)  # below the code, so that a line tells whose mistake it is
        while context.execute_pending_job():
            pass
        error = context.eval("__outcome.error")
        value = context.eval("__outcome.value")
    except quickjs.JSException as failure:
        raise CodeError(_told(str(failure), lines)) from None
    if error is not None:
        raise CodeError(_told(str(error), lines))
    if value is None:
        raise CodeError("main did not finish: it waits for something that never comes")
    return json.loads(value)


def _told(text: str, lines: int) -> str:
    """The error's first line, and the line of the code it came from."""
    message = text.strip().split("\n", 1)[0][:_TEXT]
    if "out of memory" in message:
        message = "The code needed more memory than it may use"
    elif message == "The code threw null":
        message = _NULL
    place = next((int(line) for line in re.findall(r"<input>:(\d+)", text) if int(line) <= lines), None)
    return f"{message} (line {place})" if place else message
