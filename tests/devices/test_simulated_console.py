"""A simulated device obeys a keyboard, a timed script and the two signals that end it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from edge_agent.devices.simulate.console import (
    Command,
    Console,
    Signals,
    Timed,
    parse_script,
    run_console,
)


@pytest.fixture
def keyboard() -> Iterator[tuple[int, int]]:
    """A pipe: what is read, and what is typed into."""
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue


def console(done: list[str], told: list[str] | None = None) -> Console:
    commands = {
        "put": Command(done.append, "puts", "WEIGHT"),
        "stop": Command(lambda _: done.append("stop"), "stops"),
        "half": Command(lambda text: done.append(f"half {text}"), "halves", "[COUNT]"),
    }
    return Console(commands, (told if told is not None else done).append)


def test_a_script_is_a_command_a_line_with_its_time() -> None:
    text = "# what happens\n\n0 put 1.000\n 2.5  unstable 3.2\n2.5 silent\n"
    assert parse_script(text) == [
        Timed(0, "put 1.000"),
        Timed(2.5, "unstable 3.2"),
        Timed(2.5, "silent"),
    ]


@pytest.mark.parametrize("text", ["put 1", "1", "nan put 1", "-1 put 1", "inf put 1", "2 a\n1 b"])
def test_a_script_that_makes_no_sense_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"^line [12]: "):
        parse_script(text)


def test_lines_are_done_in_order_and_mistakes_are_told() -> None:
    done: list[str] = []
    told: list[str] = []
    at = console(done, told)
    for line in ("put 1", "  put  2 ", "", "put", "stop it", "half", "half 3", "help", "no"):
        at.do(line)
    assert done == ["1", "2", "half ", "half 3"]
    assert told[:2] == ["Not done: write put WEIGHT.", "Not done: stop stands alone."]
    assert "puts" in told[2]
    assert "no command" in told[3]
    assert not at.ended
    at.do("quit")
    assert at.ended


def test_keyboard_and_script_are_followed_until_quit(keyboard: tuple[int, int]) -> None:
    done: list[str] = []
    os.write(keyboard[1], b"put 1\npu")
    os.write(keyboard[1], b"t 2\n")
    with Signals() as signals:
        script = [Timed(0.05, "put 3"), Timed(0.1, "quit")]
        run_console(console(done), script, keyboard[0], signals)
    assert done == ["1", "2", "3"]


def test_the_end_of_the_keyboard_is_not_the_end(keyboard: tuple[int, int]) -> None:
    done: list[str] = []
    os.write(keyboard[1], b"put 1\nput 2")
    os.close(keyboard[1])
    with Signals() as signals:
        script = [Timed(0.1, "put 3"), Timed(0.1, "quit")]
        run_console(console(done), script, keyboard[0], signals)
    assert done == ["1", "2", "3"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_the_handlers_are_as_before(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    timer = threading.Timer(0.05, lambda: os.kill(os.getpid(), number))
    timer.start()
    with Signals() as signals:
        run_console(console([]), [], None, signals)
    timer.join()
    assert signal.getsignal(number) is before
