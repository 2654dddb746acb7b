"""The server with its files in S3: what is uploaded is read by a run, fetched by its link, and swept."""

from __future__ import annotations

import os
from pathlib import Path

from server.app import create_app
from server.lifespan import resources
from store.file_bytes import BucketBytes
from tests.s3 import bucket as bucket
from tests.server.conftest import settings_in
from tests.server.test_uploads import API, Ground
from tests.world import build


def test_files_go_to_the_bucket_and_come_back(bucket: str, tmp_path: Path) -> None:
    settings = settings_in(tmp_path, file_storage=bucket, file_unused_hours=1)
    content = os.urandom(3_000_000)
    with resources(settings):
        ground = Ground(create_app(settings, with_pages=False), build(), settings)
        record = ground.upload("bees.bin", content, "application/octet-stream").json()
        assert ground("GET", record["source_url"]).content == content
        assert [key for key, _ in BucketBytes(bucket).written()] == [record["id"]]
        assert ground.stored() == []
        path = f"{API}/apps/{ground.world.app.id}/files/{record['id']}"
        assert ground("GET", path).json()["size"] == len(content)
        BucketBytes(bucket).delete(record["id"])
        assert ground("GET", record["source_url"]).status_code == 404


def test_a_bucket_that_is_away_is_told_as_such(bucket: str, tmp_path: Path) -> None:
    settings = settings_in(tmp_path, file_storage="s3://no-such-bucket")
    with resources(settings):
        ground = Ground(create_app(settings, with_pages=False), build(), settings)
        refused = ground.upload("bees.txt", b"x")
        assert (refused.status_code, refused.json()["code"]) == (503, "service_unavailable")
