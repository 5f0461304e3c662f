from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from edge_agent.status import StatusServer, ask
from edge_contract.errors import EdgeError, NeedsOperator, Rejected


async def numbers(question: Mapping[str, Any]) -> AsyncIterator[Any]:
    for number in range(question.get("count", 3)):
        yield {"number": number}


async def refuses(_: Mapping[str, Any]) -> AsyncIterator[Any]:
    yield {"first": True}
    raise Rejected("no", "That cannot be.")


ANSWERS = {"numbers": numbers, "refuses": refuses}


def items(path: Path, question: str, **arguments: Any) -> list[Any]:
    return list(ask(path, question, **arguments))


async def asked(path: Path, question: str, **arguments: Any) -> list[Any]:
    return await asyncio.to_thread(items, path, question, **arguments)


def test_a_question_is_answered_item_by_item(tmp_path: Path) -> None:
    async def scene() -> None:
        path = tmp_path / "run" / "agent.sock"
        server = StatusServer(path, 0o660)
        await server.start(ANSWERS)
        assert await asked(path, "numbers", count=2) == [{"number": 0}, {"number": 1}]
        assert len(await asked(path, "numbers", count=20_000)) == 20_000
        with pytest.raises(Rejected, match="That cannot be"):
            await asked(path, "refuses")
        with pytest.raises(Rejected, match=r"no question of this agent\. numbers, refuses"):
            await asked(path, "nonsense")
        server.close()
        assert not path.exists()

    asyncio.run(scene())


@pytest.mark.parametrize("mode", [0o600, 0o660])
def test_the_socket_is_never_open_to_others(tmp_path: Path, mode: int) -> None:
    server = StatusServer(tmp_path / "agent.sock", mode)
    assert (tmp_path / "agent.sock").stat().st_mode & 0o777 == mode
    server.close()


def test_what_is_no_question_does_the_server_no_harm(tmp_path: Path) -> None:
    async def scene() -> None:
        path = tmp_path / "agent.sock"
        server = StatusServer(path, 0o600)
        await server.start(ANSWERS)
        for bytes_sent in (b"\n", b"[]\n", b"\xff\xfe\n", b'{"ask": []}\n', b"x" * 200_000, b""):
            reader, writer = await asyncio.open_unix_connection(str(path))
            writer.write(bytes_sent)
            writer.write_eof()
            await reader.read()
            writer.close()
        assert len(await asked(path, "numbers")) == 3
        server.close()

    asyncio.run(scene())


def test_a_socket_left_by_a_killed_agent_is_taken_over_and_a_living_ones_is_not(
    tmp_path: Path,
) -> None:
    path = tmp_path / "agent.sock"
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(path))
    stale.close()
    server = StatusServer(path, 0o600)
    with pytest.raises(NeedsOperator, match="Another agent answers"):
        StatusServer(path, 0o600)
    assert path.exists()
    server.close()


def test_a_socket_that_cannot_be_made_is_a_configuration_error(tmp_path: Path) -> None:
    for path in (tmp_path / ("x" * 120), Path("/proc/agent.sock")):
        with pytest.raises(NeedsOperator, match="cannot be made") as caught:
            StatusServer(path, 0o600)
        assert caught.value.code == "configuration"


def test_nobody_there_is_said_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(EdgeError, match="Start it"):
        items(tmp_path / "none.sock", "status")
