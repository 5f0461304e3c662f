"""Runs a simulated device from a keyboard or a timed script until Ctrl-C or SIGTERM."""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import FrameType

Act = Callable[[str], object]
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Command:
    """One thing that can be done to the device."""

    act: Act
    """Gets the rest of the line. May raise ValueError with a sentence."""
    help: str
    takes: str = ""
    """What follows the word, as shown by help; in brackets when it may be left out."""


@dataclass(frozen=True, slots=True)
class Timed:
    """A line of a script."""

    at: float
    """Seconds after the start."""
    line: str


def parse_script(text: str) -> list[Timed]:
    """``SECONDS COMMAND`` a line; ``#`` begins a comment. Raises ValueError naming the line."""
    found: list[Timed] = []
    for number, line in enumerate(text.splitlines(), start=1):
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        moment, _, command = bare.partition(" ")
        try:
            at = float(moment)
        except ValueError:
            at = -1.0
        if not 0 <= at < 1e9 or not command.strip():
            raise ValueError(f"line {number}: write SECONDS COMMAND, as '2.5 put 12.345'")
        if found and at < found[-1].at:
            raise ValueError(f"line {number}: {at:g} s is before the line above it")
        found.append(Timed(at, command.strip()))
    return found


class Console:
    """Understands the lines somebody types."""

    def __init__(
        self, commands: Mapping[str, Command], tell: Tell, otherwise: Act | None = None
    ) -> None:
        """``otherwise`` takes lines that are no command, as a scanner takes barcodes."""
        self._commands = commands
        self._tell = tell
        self._otherwise = otherwise
        self.ended = False

    def do(self, line: str) -> None:
        """Do what one line says; tell what is wrong with it."""
        word, _, rest = line.strip().partition(" ")
        if not word:
            return
        if word in {"help", "?"}:
            self._tell(self.help())
        elif word in {"quit", "end"}:
            self.ended = True
        else:
            self._act(word, rest.strip(), line.strip())

    def _act(self, word: str, rest: str, line: str) -> None:
        command = self._commands.get(word)
        try:
            if command is None:
                if self._otherwise is None:
                    raise ValueError(f"{word!r} is no command: help lists them")
                self._otherwise(line)
            elif command.takes and not command.takes.startswith("[") and not rest:
                raise ValueError(f"write {word} {command.takes}")
            elif rest and not command.takes:
                raise ValueError(f"{word} stands alone")
            else:
                command.act(rest)
        except (ValueError, OSError) as error:
            self._tell(f"Not done: {error}.")

    def help(self) -> str:
        """The commands, one a line."""
        lines = [
            (f"{word} {command.takes}".strip(), command.help)
            for word, command in self._commands.items()
        ]
        lines += [("help", "show this"), ("quit", "end, as Ctrl-C does")]
        width = max(len(usage) for usage, _ in lines)
        return "\n".join(f"  {usage:<{width}}  {said}" for usage, said in lines)


def run_console(
    console: Console,
    script: Sequence[Timed],
    source: int | None,
    signals: Signals,
    tell: Tell = lambda _: None,
) -> None:
    """Do what ``script`` and the lines on the descriptor ``source`` say, until a signal comes or
    ``quit``. The end of ``source`` is no end: a service has no keyboard."""
    start = time.monotonic()
    due, heard = list(script), b""
    while not (console.ended or signals.came):
        wait = max(0.0, start + due[0].at - time.monotonic()) if due else None
        inputs = [signals.descriptor, *([] if source is None else [source])]
        ready, _, _ = select.select(inputs, [], [], wait)
        if not ready and due:
            timed = due.pop(0)
            tell(f"{timed.at:g} s: {timed.line}")
            console.do(timed.line)
        if source in ready and source is not None:
            data = os.read(source, 4096)
            *lines, heard = (heard + data).split(b"\n")
            if not data:
                source, lines, heard = None, [heard], b""
            for line in lines:
                console.do(line.decode(errors="replace"))
                if console.ended:
                    return


class Signals:
    """SIGINT and SIGTERM as something that ``select`` can wait for. Belongs to the main thread."""

    def __init__(self) -> None:
        self.came = False
        self._receive, self._send = socket.socketpair()
        for end in (self._receive, self._send):
            end.setblocking(False)

    @property
    def descriptor(self) -> int:
        return self._receive.fileno()

    def __enter__(self) -> Signals:
        self._wakeup = signal.set_wakeup_fd(self._send.fileno(), warn_on_full_buffer=False)
        self._before = {
            number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)
        }
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        self._receive.close()
        self._send.close()

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.came = True
