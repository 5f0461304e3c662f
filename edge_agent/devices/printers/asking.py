"""Drives a dialogue over an open line: asks, waits for the whole answer, and hears the rest.

What a printer says without being asked (alerts on a serial line, answers in the order of printing)
is taken out of what comes and handed on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from edge_agent.devices.live import Tap
from edge_agent.devices.printers.languages import Dialogue, Poll, Question, Sieve
from edge_agent.devices.printers.line import PrinterLine

#: Most bytes of one answer: a printer that talks on and on is cut off.
_MOST_ANSWER = 8192
_SLICE_S = 0.25
#: How long an answer that not every model gives is waited for.
_OPTIONAL_S = 1.0


class Conversation:
    """One open line. Raises OSError when it is gone."""

    def __init__(
        self,
        line: PrinterLine,
        sieve: Sieve,
        heard: Callable[[bytes], None],
        stopping: threading.Event,
        *,
        timeout_s: float,
        tap: Tap | None = None,
    ) -> None:
        """``heard`` is given each thing said without being asked; ``tap`` hears every byte."""
        self.line = line
        self._tap = tap
        self._sieve = sieve
        self._heard = heard
        self._stopping = stopping
        self._timeout_s = timeout_s

    def hold(self, dialogue: Dialogue) -> Poll:
        """Ask what the dialogue asks, and return its verdict."""
        question = next(dialogue)
        while True:
            try:
                question = dialogue.send(self.ask(question))
            except StopIteration as end:
                verdict: Poll = end.value
                return verdict

    def ask(self, question: Question) -> bytes:
        """The whole answer, or as much of it as came in time."""
        self.listen(0)  # what a late answer left behind is no answer to this question
        self.send(question.data, self._timeout_s)
        limit = min(self._timeout_s, _OPTIONAL_S) if question.optional else self._timeout_s
        deadline, answer = time.monotonic() + limit, b""
        while (left := deadline - time.monotonic()) > 0 and not self._stopping.is_set():
            try:
                answer = self._sifted(answer + self._receive(min(left, _SLICE_S)))
            except OSError:
                if answer:
                    break  # half an answer is told as that; the next question finds the line gone
                raise
            if question.complete(answer) or len(answer) > _MOST_ANSWER:
                break
        return answer

    def send(self, data: bytes, timeout: float) -> None:
        """Send all of it. Raises ``BrokenOff``."""
        self.line.send(data, timeout)
        if self._tap is not None:
            self._tap("sent", data)

    def _receive(self, timeout: float) -> bytes:
        data = self.line.receive(timeout)
        if data and self._tap is not None:
            self._tap("received", data)
        return data

    def listen(self, seconds: float) -> None:
        """Hear what comes without having asked, for so long; what makes no sense is dropped."""
        deadline, rest = time.monotonic() + seconds, b""
        while not self._stopping.is_set():
            left = deadline - time.monotonic()
            data = self._receive(max(0.0, min(left, _SLICE_S)))
            rest = self._sifted(rest + data)[-_MOST_ANSWER:]
            if not data and left <= 0:
                return

    def _sifted(self, data: bytes) -> bytes:
        rest, unasked = self._sieve(data)
        for one in unasked:
            self._heard(one)
        return rest
