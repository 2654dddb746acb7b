"""``python -m bench.http``: what a request costs here and in three peers that do the same work.

Every round sends the same burst to each server in turn, so that a busy neighbour hurts all alike. Printed: the
median over rounds of our CPU to the peer's (below 1 we are cheaper), then CPU per request and requests per second.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import httpx

from bench import world
from bench.measure import Sample, burst, ratio, server

SERVERS = {
    "difyspec": ("bench.ours", {}),
    "starlette": ("bench.peer_starlette", {}),
    "fastapi": ("bench.peer_fastapi", {}),
    "stock connexion": ("bench.ours", {"BENCH_STOCK": "1"}),
}
Request = Callable[[httpx.Client, str], httpx.Response]


def requests_of(made: world.World) -> dict[str, Request]:
    """The five requests, by name."""
    api, bearer = "/openapi/v1", {"Authorization": f"Bearer {made.token}"}

    def get(path: str, headers: dict[str, str] | None = None) -> Request:
        return lambda client, base: client.get(base + api + path, headers=headers)

    start = {"client_id": "difyctl", "device_label": "bench"}
    return {
        "_health": get("/_health"),
        "account": get("/account", bearer),
        "apps": get(f"/apps?workspace_id={made.workspace_id}&limit=20", bearer),
        "describe": get(f"/apps/{made.app_id}/describe", bearer),
        "device/code": lambda client, base: client.post(base + api + "/oauth/device/code", json=start),
    }


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds and apps: does it run at all")
    arguments = parser.parse_args()
    rounds, count, apps = (2, 100, 500) if arguments.quick else (9, 400, 10_000)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        made = world.build(Path(folder), apps)
        env = {"BENCH_DATABASE": str(made.database)}
        running = {name: stack.enter_context(server(module, env | extra)) for name, (module, extra) in SERVERS.items()}
        print(f"{apps} apps, {rounds} rounds of {count} requests over one connection\n")
        names = list(running)
        print(f"{'':12} " + "".join(f"{'CPU / ' + name:>22}" for name in names[1:]))
        details = []
        for title, request in requests_of(made).items():
            samples: dict[str, list[Sample]] = {name: [] for name in names}
            for number in range(rounds):
                for name in names if number % 2 else reversed(names):
                    samples[name].append(burst(*running[name], request, count))
            ratios = "".join(f"{ratio(samples['difyspec'], samples[name]):>22.2f}" for name in names[1:])
            print(f"{title:12} {ratios}", flush=True)
            for name in names:
                cpu = statistics.median(one.cpu for one in samples[name])
                rate = statistics.median(one.rate for one in samples[name])
                details.append(f"{title:12} {name:16} {cpu:8.0f} µs CPU {rate:8.0f} req/s")
        print("\n" + "\n".join(details))


if __name__ == "__main__":
    main()
