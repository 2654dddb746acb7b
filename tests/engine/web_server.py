"""A web server of the standard library, for the length of a block."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOOKS_EVERY = 0.01  # seconds: the library's half a second is longer than most tests


@contextmanager
def listening(on: ThreadingHTTPServer | type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve on a thread; the value is the address, without a slash at its end."""
    server = on if isinstance(on, ThreadingHTTPServer) else ThreadingHTTPServer(("127.0.0.1", 0), on)
    threading.Thread(target=server.serve_forever, args=(LOOKS_EVERY,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
