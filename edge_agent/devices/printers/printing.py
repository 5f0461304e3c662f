"""Prints one job over an open conversation, and follows it until no more can be learnt.

Nothing is sent twice: once a byte of a job may have reached the printer, whatever goes wrong is
told and left to a person.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from edge_agent.devices.printers import escpos
from edge_agent.devices.printers.asking import Conversation
from edge_agent.devices.printers.jobs import Expected, JobWatch, PrintJob
from edge_agent.devices.printers.languages import Poll, count_of, odometer
from edge_agent.devices.printers.line import BrokenOff
from edge_agent.devices.printers.profile import PrinterProfile
from edge_agent.devices.printers.state import why_not
from edge_agent.devices.printers.zebra_alert import Alert

_LOOK_S = 0.2
Outcome = Literal["printed", "doubtful", "failed"]


@dataclass(frozen=True, slots=True)
class PrintResult:
    """What became of a job. ``proof`` is ``None`` when not all of its bytes were taken."""

    outcome: Outcome
    labels: int
    proof: int | None
    detail: str = ""
    """Why it is not ``printed``, and what to do."""


class Printer(Protocol):
    """What printing needs of the link."""

    def look(self, conversation: Conversation) -> Poll:
        """Poll on that line and show what was seen. Raises OSError when the line is gone."""
        ...

    def reopen(self) -> Conversation:
        """A line in place of the former one. Raises OSError, having shown that."""
        ...


class Heard:
    """What the printer said without being asked, for the thread that prints."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._alerts: list[Alert] = []
        self._worked_off = False

    def alert(self, one: Alert) -> None:
        with self._lock:
            self._alerts.append(one)

    def worked_off(self) -> None:
        with self._lock:
            self._worked_off = True

    def take(self) -> tuple[list[Alert], bool]:
        """What came since the last time."""
        with self._lock:
            alerts, self._alerts = self._alerts, []
            worked_off, self._worked_off = self._worked_off, False
        return alerts, worked_off


class Printing:
    """One job on one line."""

    def __init__(
        self,
        printer: Printer,
        profile: PrinterProfile,
        heard: Heard,
        stopping: threading.Event,
        *,
        alerts: bool,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``alerts``: whether this printer pushes any."""
        self._printer = printer
        self._profile = profile
        self._heard = heard
        self._stopping = stopping
        self._alerts = alerts
        self._monotonic = monotonic

    def run(self, conversation: Conversation, job: PrintJob, what: Expected) -> PrintResult:
        """Print it. Raises nothing: whatever happens is a result."""
        try:
            reason = self._not_ready(conversation)
            counter = None if reason else self._count(conversation)
        except OSError as error:
            reason, counter = f"{error}", None
        if reason:
            return PrintResult("failed", what.labels, None, f"Nothing was sent: {reason}.")
        self._heard.take()  # what came before is of something else
        try:
            conversation.send(self._bytes(job), self._profile.job_timeout_s)
        except BrokenOff as error:
            return _broken_off(error, what)
        watch = JobWatch(
            what, self._profile, counter=counter, alerts=self._alerts, at=self._monotonic()
        )
        self._follow(conversation, watch)
        if not watch.doubt:
            return PrintResult("printed", what.labels, watch.proof)
        advice = "Look at the labels before it is printed again"
        reason = "the agent stopped" if self._stopping.is_set() else watch.doubt
        return PrintResult(
            "doubtful", what.labels, watch.proof, f"It was sent, and {reason}. {advice}."
        )

    def _bytes(self, job: PrintJob) -> bytes:
        in_turn = escpos.PAPER_IN_TURN if self._profile.language == "escpos" else b""
        return job.bytes + in_turn

    def _not_ready(self, conversation: Conversation) -> str:
        """Why nothing can be sent now; waits while it is at work for somebody else."""
        deadline = self._monotonic() + self._profile.job_timeout_s
        while True:
            found = self._printer.look(conversation)
            if not found.seen.ready:
                return why_not(found.seen.conditions)
            if not found.seen.busy:
                return ""
            if self._stopping.wait(_LOOK_S) or self._monotonic() > deadline:
                return "the printer is at work for somebody else and does not come to an end"

    def _count(self, conversation: Conversation) -> int | None:
        question = odometer(self._profile)
        return None if question is None else count_of(conversation.ask(question))

    def _follow(self, first: Conversation, watch: JobWatch) -> None:
        conversation: Conversation | None = first
        while not self._stopping.is_set():
            try:
                if conversation is None:
                    conversation = self._printer.reopen()
                found = self._printer.look(conversation)
                watch.polled(found, self._monotonic())
                if found.seen.answered:
                    watch.counted(self._count(conversation), self._monotonic())
            except OSError:
                watch.lost()
                conversation = None
            alerts, worked_off = self._heard.take()
            for alert in alerts:
                watch.alerted(alert, self._monotonic())
            if worked_off:
                watch.worked_off()
            if watch.done(self._monotonic()) or self._stopping.wait(_LOOK_S):
                return


def _broken_off(error: BrokenOff, what: Expected) -> PrintResult:
    if not error.taken:
        return PrintResult("failed", what.labels, None, f"Nothing was sent: {error}.")
    detail = f"The line broke off after {error.taken} bytes: {error}. Look at what came out of it."
    return PrintResult("doubtful", what.labels, None, detail)
