"""The child process that holds the local model: ``python -m engine.models.local_process``.

In, on standard input: one line of JSON (``model``: path of a GGUF file, ``context``: tokens, ``key``: what
requests must show). Out, on standard output: one line of JSON, ``address`` or ``error``. It ends when its
standard input does, so it never outlives the server.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def main() -> None:
    """Load the model, serve the chat completions protocol on a free port of this host, wait for the end."""
    told = json.loads(sys.stdin.readline())
    # Only the answer goes to standard output, whatever the library prints.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        server = _serve(told["model"], told["context"], told["key"])
        answer = {"address": server.listening_address}
    except Exception as error:
        answer = {"error": str(error) or type(error).__name__}
    print(json.dumps(answer), file=out, flush=True)
    if "address" in answer:
        sys.stdin.read()
    # The library's threads would be waited for, and they wait for requests.
    os._exit(0)


def _serve(model: str, context: int, key: str) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = model
    params.n_ctx = context
    params.n_parallel = 1
    # One thread: its workers spin while they wait for each other, so two on a busy machine are far slower.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.n_gpu_layers = 0
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [key]
    params.ui = params.endpoint_slots = params.endpoint_props = params.warmup = False
    params.cache_ram_mib = 0
    return xllamacpp.Server(params)


if __name__ == "__main__":
    main()
