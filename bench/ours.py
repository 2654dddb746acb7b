"""This server, as ``difyspec serve`` runs it; ``BENCH_STOCK=1`` takes connexion's own machinery instead."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Serve on the port given as argument."""
    from server.app import create_app, create_stock_app
    from server.run import Server
    from server.settings import load

    settings = load(
        database_url=f"sqlite:///{os.environ['BENCH_DATABASE']}",
        rate_limits=False,
        max_open_device_codes=0,
        max_streams_per_subject=0,
        max_streams=0,
        large_reads_per_subject=0,
        max_run_bytes_per_subject=0,
        max_paused_runs_per_subject=0,
        max_runs_per_app=0,
        max_runs_per_subject=0,
        max_connections=0,
        max_connections_per_address=0,
        access_log=False,
        log_level="error",
        port=int(sys.argv[1]),
        secret_key="benchmark-only-secret-0123456789",
    )
    factory = create_stock_app if os.environ.get("BENCH_STOCK") else create_app
    Server(settings, factory(settings)).run()


if __name__ == "__main__":
    main()
