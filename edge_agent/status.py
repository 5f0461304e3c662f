"""The agent's local socket: whoever may open it may ask. Both ends.

A request is one line of JSON, ``{"ask": "status", …}``. The answer is one line or several:
``{"ok": true, "item": …}`` each, then ``{"ok": true, "end": true}``; or
``{"ok": false, "error": …, "remedy": …, "code": …}``. Access is by the socket file's mode.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from edge_contract.errors import EdgeError, NeedsOperator, Rejected

log = logging.getLogger(__name__)

#: Answers a question: yields what can be written as JSON.
Answer = Callable[[Mapping[str, Any]], AsyncIterator[Any]]

#: A question may carry a label with its graphics.
_MOST_QUESTION_BYTES = 2 * 1024 * 1024
_PATIENCE_S = 10.0


class StatusServer:
    """A Unix socket that answers questions by their name. Whoever asks before :meth:`start` waits.

    Making one raises ``NeedsOperator`` when the socket cannot be made or another agent has it, so
    it is made before anything else of the agent is touched.
    """

    def __init__(self, path: Path, mode: int) -> None:
        self._path = path
        self._answers: Mapping[str, Answer] = {}
        self._server: asyncio.Server | None = None
        self._listener = _listen(path, mode)

    async def start(self, answers: Mapping[str, Answer]) -> None:
        self._answers = answers
        self._server = await asyncio.start_unix_server(
            self._serve, sock=self._listener, limit=_MOST_QUESTION_BYTES
        )

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self._listener.close()
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                line = await reader.readline()
            async for reply in self._replies(line):
                writer.write(json.dumps(reply, default=str).encode() + b"\n")
                async with asyncio.timeout(_PATIENCE_S):
                    await writer.drain()
        except (OSError, TimeoutError, ValueError) as error:
            log.debug("A question on the status socket was given up: %s", error)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _replies(self, line: bytes) -> AsyncIterator[dict[str, Any]]:
        try:
            question = json.loads(line)
            answer = self._answers[question["ask"]]
        except (ValueError, KeyError, TypeError):
            known = ", ".join(sorted(self._answers))
            yield {"ok": False, "error": "That is no question of this agent.", "remedy": known}
            return
        try:
            async for item in answer(question):
                yield {"ok": True, "item": item}
        except NeedsOperator as error:
            yield {"ok": False, "error": error.message, "remedy": error.remedy}
        except EdgeError as error:
            code = getattr(error, "code", "refused")
            yield {"ok": False, "error": str(error), "remedy": "", "code": code}
        else:
            yield {"ok": True, "end": True}


def _listen(path: Path, mode: int) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        if path.is_socket():
            if _alive(path):
                raise NeedsOperator(
                    "already-running",
                    f"Another agent answers at {path}.",
                    "Stop it first, or give this one a socket and an outbox of its own.",
                )
            path.unlink()
        # The mode must be right from the first moment, so the mask is set around the bind.
        before = os.umask(0o777 & ~mode)
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        listener.listen(16)
    except OSError as error:
        listener.close()
        raise NeedsOperator(
            "configuration",
            f"The status socket {path} cannot be made: {error.strerror or error}.",
            "Set [status] socket to a path (shorter than 100 characters) in a directory that the "
            "agent's user may write.",
        ) from error
    except NeedsOperator:
        listener.close()
        raise
    return listener


def _alive(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def ask(path: Path, question: str, **arguments: Any) -> Iterator[Any]:
    """Ask the running agent; yields the items of its answer.

    Raises ``NeedsOperator`` (``not-running``) when nothing answers, ``Rejected`` when the agent
    refuses the question.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_PATIENCE_S)
            connection.connect(str(path))
            connection.sendall(json.dumps({"ask": question, **arguments}).encode() + b"\n")
            with connection.makefile("rb") as lines:
                for line in lines:
                    reply = json.loads(line)
                    if not reply["ok"]:
                        remedy = reply.get("remedy", "")
                        code = reply.get("code", "refused")
                        raise Rejected(code, f"{reply['error']} {remedy}".strip())
                    if reply.get("end"):
                        return
                    yield reply["item"]
    except OSError as error:
        raise NeedsOperator(
            "not-running",
            f"No agent answers at {path}: {error.strerror or error}.",
            "Start it (edge-agent run, or systemctl start edge-agent), or name its configuration "
            "with --config. Only the agent's user and group may ask.",
        ) from error
    raise NeedsOperator(
        "not-running", f"The agent at {path} broke off its answer.", "Ask again; see its log."
    )
