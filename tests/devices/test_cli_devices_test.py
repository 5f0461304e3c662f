"""``edge-agent devices test``: through a running agent's socket, and alone on a pty."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import threading
import tty
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from edge_agent.cli import main
from edge_agent.devices.links import LinkState
from edge_agent.devices.live import Live
from edge_agent.devices.scales.reading import ScaleReading
from edge_agent.looking import looked_at
from edge_agent.status import StatusServer

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@dataclass
class Ran:
    status: int
    out: str
    err: str

    @property
    def items(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Ran]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def command(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["edge-agent", *map(str, arguments)])
        status: object = 0
        try:
            main()
        except SystemExit as end:
            status = end.code
        captured = capsys.readouterr()
        return Ran(status if isinstance(status, int) else 0, captured.out, captured.err)

    return command


@pytest.fixture
def port() -> Iterator[tuple[int, str]]:
    """The far end of a pty and the path of its near end."""
    far, near = os.openpty()
    tty.setraw(near)
    yield far, os.ttyname(near)
    os.close(near)
    with contextlib.suppress(OSError):
        os.close(far)


def config(directory: Path, path: str, dock: str = "/dev/none-2") -> Path:
    file = directory / "agent.toml"
    file.write_text(
        '[site]\nname = "dc1"\nagent = "dock-a"\n'
        f'[status]\nsocket = "{directory}/agent.sock"\n'
        f'[devices.bench-1]\nprofile = "mt-sics"\nport = "{path}"\n'
        "override.scale.poll_interval_s = 0.05\noverride.scale.reply_timeout_s = 0.2\n"
        '[devices.dock-1]\nprofile = "serial-scanner"\n'
        f'port = "{dock}"\n'
    )
    return file


@contextlib.contextmanager
def answering(far: int, answer: bytes) -> Iterator[None]:
    """A device that answers each question, until the end."""
    over = threading.Event()

    def serve() -> None:
        os.set_blocking(far, False)
        while not over.wait(0.01):
            with contextlib.suppress(BlockingIOError):
                if os.read(far, 100):
                    os.write(far, answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(10)


def test_without_an_agent_the_line_is_opened_here_and_shown(
    run: Run, tmp_path: Path, port: tuple[int, str]
) -> None:
    file = config(tmp_path, port[1])
    with answering(port[0], b"S S      3.500 kg\r\n"):
        done = run("devices", "test", "bench-1", "-c", file, "--seconds", 1)
    assert done.status == 0
    assert "listening here" in done.out
    assert "→ SI\\r\\n   [53 49 0d 0a]" in done.out
    assert "= 3.500 kg, net, stable" in done.out
    assert "bench-1 works" in done.out


def test_each_thing_is_a_document_of_its_own_for_scripts(
    run: Run, tmp_path: Path, port: tuple[int, str]
) -> None:
    file = config(tmp_path, port[1])
    with answering(port[0], b"S S      3.500 kg\r\n"):
        items = run("devices", "test", "bench-1", "-c", file, "--seconds", 1, "--json").items
    assert items[0] == {
        "what": "begin",
        "device": "bench-1",
        "class": "scale",
        "profile": "mt-sics",
        "address": port[1],
        "by": "here",
    }
    assert {"sent", "received", "decoded", "state"} <= {item["what"] for item in items}
    assert items[-1]["what"] == "end"
    assert items[-1]["good"] is True


def test_bytes_that_make_no_sense_are_shown_with_what_to_check(
    run: Run, tmp_path: Path, port: tuple[int, str]
) -> None:
    file = config(tmp_path, port[1])
    with answering(port[0], b"\xf8\x80\r\n"):
        done = run("devices", "test", "bench-1", "-c", file, "--seconds", 1)
    assert done.status == 1
    assert "\\xf8\\x80" in done.out
    assert "none of it was understood: check that it is set to 9600 baud 8N1" in done.out


def test_silence_is_said_plainly_with_what_to_check(
    run: Run, tmp_path: Path, port: tuple[int, str]
) -> None:
    file = config(tmp_path, "/dev/none", dock=port[1])
    done = run("devices", "test", "dock-1", "-c", file, "--seconds", 1)
    assert done.status == 1
    assert "Nothing came from dock-1 in 1 s. Scan a label while the test runs." in done.out


def test_an_unknown_device_ends_with_2_and_names_the_one_meant(run: Run, tmp_path: Path) -> None:
    done = run("devices", "test", "bench1", "-c", config(tmp_path, "/dev/none"))
    assert done.status == 2
    assert "did you mean bench-1?" in done.err


def test_a_port_that_is_not_there_is_a_sentence(run: Run, tmp_path: Path) -> None:
    file = config(tmp_path, str(tmp_path / "none"))
    done = run("devices", "test", "bench-1", "-c", file, "--seconds", 1)
    assert done.status == 1
    assert "plug the device in" in done.out


class Scale:
    """A link that says something whenever it is asked how it is."""

    name = "bench-1"

    def __init__(self, live: Live) -> None:
        self._live = live

    def start(self) -> None: ...

    def stop(self, timeout: float = 5.0) -> None: ...

    def state(self) -> LinkState:
        self._live.tap("bench-1")("received", b"S S 1 kg\r\n")
        self._live.decoded("bench-1", ScaleReading("ok", "S S 1 kg", "1", "kg", "KGM", True))
        return LinkState("bench-1", "scale", "up", "", NOW, {})


@contextlib.contextmanager
def agent(path: Path, answer: Callable[[Mapping[str, Any]], AsyncIterator[Any]]) -> Iterator[None]:
    """The socket of a running agent that answers one question, in a thread of its own."""
    started, over = threading.Event(), threading.Event()

    async def serve() -> None:
        server = StatusServer(path, 0o600)
        await server.start({"devices.live": answer})
        started.set()
        await asyncio.to_thread(over.wait, 60)
        server.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert started.wait(10)
    try:
        yield
    finally:
        over.set()
        thread.join(10)


def test_a_running_agent_is_asked_and_keeps_the_port(run: Run, tmp_path: Path) -> None:
    live = Live(lambda: NOW)

    async def answer(question: Mapping[str, Any]) -> AsyncIterator[Any]:
        assert question["name"] == "bench-1"
        async for item in looked_at(Scale(live), live, question["seconds"], lambda: NOW):
            yield item

    file = config(tmp_path, "/dev/none")  # opening it would fail
    with agent(tmp_path / "agent.sock", answer):
        done = run("devices", "test", "bench-1", "-c", file, "--seconds", 1)
    assert done.status == 0, done.out
    assert "the running agent listens" in done.out
    assert "= 1 kg, stable" in done.out
    assert live._looks == {}


def test_an_agent_that_does_not_know_the_device_yet_leaves_the_line_to_us(
    run: Run, tmp_path: Path, port: tuple[int, str]
) -> None:
    async def answer(_question: Mapping[str, Any]) -> AsyncIterator[Any]:
        yield {"what": "unknown"}

    file = config(tmp_path, port[1])
    with agent(tmp_path / "agent.sock", answer), answering(port[0], b"S S      3.500 kg\r\n"):
        done = run("devices", "test", "bench-1", "-c", file, "--seconds", 1)
    assert done.status == 0
    assert "does not know it yet" in done.out


def test_a_quiet_device_is_told_of_each_second_so_that_the_line_to_the_agent_lives() -> None:
    class Quiet(Scale):
        def state(self) -> LinkState:
            return LinkState("bench-1", "scale", "up", "", NOW, {})

    async def scene() -> list[dict[str, Any]]:
        live = Live(lambda: NOW)
        return [item async for item in looked_at(Quiet(live), live, 1.3, lambda: NOW)]

    assert [item["what"] for item in asyncio.run(scene())] == ["state", "quiet"]
