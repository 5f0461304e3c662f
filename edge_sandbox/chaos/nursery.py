"""Starts agent or relay a hundred times a minute: the program is imported once, and forked.

Run as a process of its own (``python -m edge_sandbox.chaos.nursery edge-agent``), single-threaded,
because a fork of a process with threads is none to trust. One child at a time. On stdin it reads a
line of JSON for each start, on stdout it answers with the child's process id, and with its exit
status when it has ended. When stdin ends, the child is killed and it ends too.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import select
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

#: Modules to import before the first fork; the last one's ``main`` is the program. Some are what
#: libraries import when they are first used.
PROGRAMS = {
    "edge-agent": (
        "anyio._backends._asyncio",
        "anyio.to_thread",
        "apscheduler.executors.asyncio",
        "apscheduler.triggers.interval",
        "certifi",
        "encodings.idna",
        "httpcore",
        "edge_agent.app",
        "edge_agent.cli_app",
        "edge_agent.cli",
    ),
    "cloud-relay": (
        "encodings.ascii",
        "uvicorn.lifespan.off",
        "uvicorn.protocols.http.auto",
        "uvicorn.protocols.websockets.auto",
        "cloud_relay.app",
        "cloud_relay.cli",
    ),
}


def main(program: str) -> None:
    for module in PROGRAMS[program]:
        importlib.import_module(module)
    importlib.import_module("edge_sandbox.chaos.dying")
    importlib.import_module("edge_sandbox.chaos.books")
    while line := _line():
        child = os.fork()
        if child == 0:
            os._exit(_child(program, json.loads(line)))
        _say(child)
        _say(_status_of(child))


def _line() -> str:
    read = bytearray()
    while not read.endswith(b"\n"):
        piece = os.read(0, 65536)
        if not piece:
            return ""
        read += piece
    return read.decode()


def _say(number: int) -> None:
    os.write(1, f"{number}\n".encode())


def _status_of(child: int) -> int:
    """Wait for the child's end; its exit status, negative for a signal."""
    watched = os.pidfd_open(child)
    try:
        readable, _, _ = select.select([0, watched], [], [])
        if watched not in readable:  # nobody speaks while a child runs: it is the end of stdin
            os.kill(child, signal.SIGKILL)
    finally:
        os.close(watched)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _child(program: str, request: dict[str, Any]) -> int:
    log = os.open(request["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    try:
        for call in request["before"]:
            _call(call)
        _arm(request["control"], request["trace"])
        sys.argv = [program, *request["arguments"]]
        importlib.import_module(PROGRAMS[program][-1]).main()
    except SystemExit as end:
        return int(end.code or 0) if isinstance(end.code, int | None) else 1
    except BaseException:  # noqa: BLE001 - its last words, as an interpreter would print them
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def _call(call: Sequence[str]) -> None:
    """``FILE_OR_MODULE:FUNCTION`` and its arguments."""
    where, _, name = call[0].rpartition(":")
    if where.endswith(".py"):
        runpy.run_path(where)[name](*call[1:])
    else:
        getattr(importlib.import_module(where), name)(*call[1:])


def _arm(control: str, trace: str) -> None:
    from edge_sandbox.chaos.control import Control
    from edge_sandbox.chaos.dying import arm

    arm(Control(Path(control)), Path(trace) if trace else None)


if __name__ == "__main__":
    main(sys.argv[1])
