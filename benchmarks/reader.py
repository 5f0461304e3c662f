"""The other end of the uplink's baselines: a server that reads what is posted, or barely stores it.

``POST /read`` reads the body and answers. ``POST /store`` unpacks it, parses it as JSON and puts
each event into a bare table, one FULL commit a body: the least that a durable receiver does.
``python -m benchmarks.reader DATABASE FILE`` writes the port it listens on into FILE.
"""

from __future__ import annotations

import gzip
import json
import socket
import sqlite3
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import uvicorn

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


def bare_table(path: Path) -> sqlite3.Connection:
    """A table of JSON texts by number, with the pragmas of our own stores."""
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 4096"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute(
        "CREATE TABLE event (number INTEGER PRIMARY KEY, body TEXT, sent INTEGER DEFAULT 0)"
    )
    return connection


class Reader:
    """The ASGI application."""

    def __init__(self, path: Path) -> None:
        self._connection = bare_table(path)

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        body, more = bytearray(), True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        if scope["path"] == "/store":
            self._store(bytes(body))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    def _store(self, body: bytes) -> None:
        events = json.loads(gzip.decompress(body))
        rows = [(json.dumps(event, separators=(",", ":")),) for event in events]
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany("INSERT INTO event (body) VALUES (?)", rows)
        self._connection.execute("COMMIT")


def main() -> None:
    database, told = map(Path, sys.argv[1:])
    server = uvicorn.Server(uvicorn.Config(Reader(database), log_level="warning", lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        draft = told.with_suffix(".draft")
        draft.write_text(str(listener.getsockname()[1]))
        draft.rename(told)
        server.run(sockets=[listener])


if __name__ == "__main__":
    main()
