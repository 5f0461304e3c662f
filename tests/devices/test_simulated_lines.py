"""The lines simulated devices hang on: there, gone, back at the same place, and keeping nothing."""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import serial

from edge_agent.devices.simulate.lines import Line, PtyLine, TcpLine
from edge_agent.devices.simulate.wire import Wire

MAKERS: tuple[Callable[[], Line], ...] = (PtyLine, TcpLine)


def until(test: Callable[[], object], what: str, seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not test():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.005)


@contextlib.contextmanager
def opened(line: Line) -> Iterator[Any]:
    """The agent's end."""
    url = line.where if isinstance(line, PtyLine) else f"socket://{line.where}"
    with serial.serial_for_url(url, timeout=0.05) as port:
        line.hear()  # lets a connection in
        yield port


def read(port: Any, size: int) -> bytes:
    found = b""

    def enough() -> bool:
        nonlocal found
        found += port.read(size - len(found))
        return len(found) >= size

    until(enough, f"{size} bytes")
    return found


@pytest.fixture(params=MAKERS)
def line(request: Any) -> Iterator[Line]:
    made = request.param()
    made.plug()
    yield made
    made.close()


def test_both_ends_hear_each_other(line: Line) -> None:
    heard = b""

    def all_heard() -> bool:
        nonlocal heard
        heard += line.hear()
        return heard == b"W\r"

    with opened(line) as port:
        port.write(b"W\r")
        until(all_heard, "the question")
        line.say(b"\x02 1.000\r")
        assert read(port, 8) == b"\x02 1.000\r"


def test_it_comes_back_at_the_same_place_after_the_cable_was_pulled(line: Line) -> None:
    place = line.where
    for _ in range(3):
        with opened(line) as port:
            line.say(b"here")
            assert read(port, 4) == b"here"
            line.unplug()
            assert line.hear() == b""
            line.say(b"nobody hears this")
        line.plug()
    assert line.where == place


def test_unplugging_is_noticed_at_the_other_end(line: Line) -> None:
    with opened(line) as port:
        line.unplug()

        def gone() -> bool:
            try:
                port.read(1)
            except (serial.SerialException, OSError):
                return True
            return False

        until(gone, "the port fails", 2)


def test_who_talks_to_nobody_is_not_held_up(line: Line) -> None:
    begin = time.monotonic()
    for _ in range(5_000):
        line.say(b"\x02 1.000\r")
    assert time.monotonic() - begin < 5


class Hoarding(PtyLine):
    """Broken on purpose: what nobody reads is kept and read later."""

    def say(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            os.write((self._ends or (0, 0))[0], data)


def unread(descriptor: int) -> int:
    """Bytes that wait at the agent's end."""
    count = array.array("i", [0])
    fcntl.ioctl(descriptor, termios.FIONREAD, count)
    return count[0]


def first_frame(line: PtyLine) -> int:
    """Which of 300 frames is read first by somebody who comes after them."""
    line.plug()
    descriptor = os.open(line.where, os.O_RDWR | os.O_NOCTTY)
    try:
        for number in range(300):
            before = unread(descriptor)
            line.say(b"%06d\r\n" % number)
            until(lambda before=before: unread(descriptor) != before, "it arrives")  # type: ignore[misc]
        return int(os.read(descriptor, 6))
    finally:
        os.close(descriptor)
        line.close()


def test_a_wire_keeps_nothing() -> None:
    assert first_frame(PtyLine()) > 100
    assert first_frame(Hoarding()) == 0, "the check sees a line that keeps old frames"


def test_the_link_is_removed_and_nothing_else_is(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("a file of somebody")
    with pytest.raises(FileExistsError):
        PtyLine(taken)
    stale = tmp_path / "scale"
    stale.symlink_to("/dev/pts/999999")
    line = PtyLine(stale)
    line.plug()
    assert os.path.realpath(stale).startswith("/dev/pts/")
    line.close()
    assert not stale.is_symlink()
    assert taken.read_text() == "a file of somebody"
    made = PtyLine()
    made.plug()
    made.close()
    assert not Path(made.where).parent.exists()


class Paper:
    """A line that writes down what is said."""

    where = "paper"

    def __init__(self) -> None:
        self.said: list[bytes] = []

    def plug(self) -> None: ...
    def unplug(self) -> None: ...
    def close(self) -> None: ...

    def hear(self) -> bytes:
        return b"W\r"

    def say(self, data: bytes) -> None:
        self.said.append(data)


def test_what_goes_wrong_on_a_wire() -> None:
    paper, pauses = Paper(), []
    wire = Wire(paper, pauses.append)
    wire.say(b"one\r")
    wire.half = 1
    wire.say(b"twoo\r")
    wire.say(b"three\r")
    assert paper.said == [b"one\r", b"tw", b"three\r"]
    paper.said.clear()
    wire.glue = 2
    wire.say(b"four\r")
    assert paper.said == []
    wire.say(b"five\r")
    assert paper.said == [b"four\rfive\r"]
    paper.said.clear()
    wire.glue, wire.slow_s = 1, 0.001
    wire.say(b"six\r")
    assert paper.said == [b"s", b"i", b"x", b"\r"]
    assert pauses == [0.001] * 4
    paper.said.clear()
    wire.slow_s, wire.silent = 0, True
    wire.say(b"seven\r")
    assert (paper.said, wire.hear()) == ([], b"W\r")
    wire.silent, wire.stuck = False, True
    wire.say(b"eight\r")
    assert (paper.said, wire.hear()) == ([], b"")
    wire.noise(b"\xff")
    assert paper.said == [b"\xff"]
