"""A local socket that speaks JSON, a line a message: how the command line asks the running relay.

Authorised by the file's mode. A request is ``{"do": "held.list", …}``; the answer is ``{"ok": true,
"answer": …}`` or ``{"ok": false, "code": …, "message": …, "remedy": …}``.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import pwd
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from edge_contract.errors import EdgeError, NeedsOperator, Rejected

log = logging.getLogger(__name__)

#: Bytes of a request.
MAX_REQUEST = 64 * 1024
#: Seconds a command line waits for an answer.
PATIENCE_S = 60.0
#: ``struct ucred`` of Linux: process, user and group of the peer.
_UCRED = struct.Struct("3i")

#: Does one thing: gets the user who asks and the request's fields, gives plain JSON back.
Command = Callable[[str, Mapping[str, Any]], Awaitable[Any]]


@asynccontextmanager
async def serve(path: Path, mode: int, commands: Mapping[str, Command]) -> AsyncIterator[None]:
    """Listen at ``path`` while the context is open; raises ``NeedsOperator`` when it cannot."""
    listener = _bind(path, mode)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _converse(reader, writer, commands)
        except (ConnectionError, ValueError) as error:
            log.info("a caller on %s left: %s", path, error)
        finally:
            writer.close()

    server = await asyncio.start_unix_server(connected, sock=listener, limit=MAX_REQUEST)
    try:
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)


def ask(path: Path, do: str, **fields: Any) -> Any:
    """Ask the relay that listens at ``path``; raises what it answers as an error."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE_S)
            connection.connect(str(path))
            connection.sendall(json.dumps({"do": do, **fields}).encode() + b"\n")
            with connection.makefile("rb") as lines:
                line = lines.readline()
    except (FileNotFoundError, ConnectionRefusedError):
        raise NeedsOperator(
            "not_running",
            f"No relay listens at {path}.",
            "Start it, or name its configuration with --config or its socket with --socket.",
        ) from None
    except PermissionError:
        raise NeedsOperator(
            "no_rights",
            f"You may not open {path}.",
            "Ask as the relay's user or root; [control] mode says who else may.",
        ) from None
    except OSError as error:
        raise NeedsOperator(
            "no_answer", f"The relay at {path} did not answer: {error}.", "See its log."
        ) from None
    if not line:
        raise NeedsOperator("no_answer", f"The relay at {path} hung up.", "See its log.")
    reply = json.loads(line)
    if reply["ok"]:
        return reply["answer"]
    raise NeedsOperator(reply["code"], reply["message"], reply["remedy"])


async def _converse(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, commands: Mapping[str, Command]
) -> None:
    peer = writer.get_extra_info("socket")
    while line := await reader.readline():
        reply = await _answer(line, _user(peer), commands)
        writer.write(json.dumps(reply, ensure_ascii=False).encode() + b"\n")
        await writer.drain()


async def _answer(line: bytes, user: str, commands: Mapping[str, Command]) -> dict[str, Any]:
    try:
        request = json.loads(line)
        command = commands[request["do"]]
    except (ValueError, LookupError, TypeError):
        known = ", ".join(sorted(commands))
        return _error("unknown_command", f"That is no command of this relay; it knows {known}.")
    try:
        return {"ok": True, "answer": await command(user, request)}
    except NeedsOperator as error:
        return _error(error.code, error.message, error.remedy)
    except Rejected as error:
        return _error(error.code, error.message)
    except EdgeError as error:
        return _error("retry", str(error), "Try again.")
    except (KeyError, TypeError, ValueError) as error:
        return _error("bad_request", f"The request does not fit the command: {error}.")


def _error(code: str, message: str, remedy: str = "") -> dict[str, Any]:
    return {"ok": False, "code": code, "message": message, "remedy": remedy}


def _user(peer: Any) -> str:
    """Name of the user at the other end, as the kernel knows it."""
    try:
        raw = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        _, uid, _ = _UCRED.unpack(raw)
    except OSError:
        return "unknown"
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _bind(path: Path, mode: int) -> socket.socket:
    if _someone_listens(path):
        raise NeedsOperator(
            "already_running",
            f"Another relay listens at {path}.",
            "Stop it, or give this one another [control] socket.",
        )
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        listener.bind(str(path))
        path.chmod(mode)
    except OSError as error:
        listener.close()
        raise NeedsOperator(
            "control_socket",
            f"The control socket {path} cannot be made: {error}.",
            "Set [control] socket to a place the relay's user may write.",
        ) from None
    finally:
        os.umask(before)
    return listener


def _someone_listens(path: Path) -> bool:
    if not path.is_socket():
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
