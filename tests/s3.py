"""An S3 service for tests: a real server of the protocol, in this process."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

REASON = "needs an S3 server: uv sync --group s3"


@pytest.fixture(scope="session")
def bucket() -> Iterator[str]:
    """A bucket of a real S3 server in this process."""
    server_module = pytest.importorskip("moto.server", reason=REASON)
    pytest.importorskip("flask_cors", reason=REASON)
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    before = dict(os.environ)
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_REGION": "us-east-1",
    }  # fmt: skip
    import boto3

    boto3.client("s3").create_bucket(Bucket="files")
    yield "s3://files/under/here"
    os.environ.clear()
    os.environ.update(before)
    server.stop()
