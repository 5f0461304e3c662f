"""Print jobs on their way from whoever asks to the thread of a printer: one at a time.

Held true here: a job is handed over once, and whoever asked hears of its end or of the link's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from edge_agent.devices.printers.jobs import Expected, PrintJob, expected
from edge_agent.devices.printers.printing import PrintResult
from edge_agent.devices.printers.profile import PrinterProfile
from edge_contract.errors import NeedsOperator, Rejected
from edge_contract.kinds import LabelPrinted

_LOOK_S = 0.5


@dataclass
class Order:
    """A job, and what became of it."""

    job: PrintJob
    what: Expected
    ended: threading.Event = field(default_factory=threading.Event)
    result: PrintResult | None = None

    def end(self, result: PrintResult) -> None:
        self.result = result
        self.ended.set()


class Orders:
    """Where one printer's thread finds its next job."""

    def __init__(self, printer: str, profile: PrinterProfile) -> None:
        self._printer = printer
        self._profile = profile
        self._next: Order | None = None
        self._one = threading.Lock()

    @property
    def waiting(self) -> bool:
        return self._next is not None

    def take(self) -> Order | None:
        """The job that is to be printed now. By the printer's thread."""
        order, self._next = self._next, None
        return order

    def give(
        self, job: PrintJob, hurry: Callable[[], None], alive: Callable[[], bool]
    ) -> PrintResult:
        """Hand a job over and wait for its end. By any other thread.

        ``hurry`` wakes the printer's thread, ``alive`` tells whether it is there. Raises
        ``Rejected`` when the job makes no sense, ``NeedsOperator`` when another one does not end.
        """
        order = Order(job, self._checked(job))
        if not self._one.acquire(timeout=self._profile.job_timeout_s):
            raise NeedsOperator(
                "printer-busy",
                f"{self._printer} is printing another job, and one is on its way at a time.",
                "Print again when it is done.",
            )
        try:
            self._next = order
            hurry()
            while not order.ended.wait(_LOOK_S):
                if not (alive() or order.ended.is_set()):
                    return PrintResult("failed", order.what.labels, None, "The agent stopped.")
        finally:
            self._one.release()
        assert order.result is not None
        return order.result

    def label(self, job: PrintJob, what: Expected, proof: int) -> dict[str, Any]:
        """What is recorded of a job: ``data`` of ``label.printed``."""
        named = {"document": job.document, "package": job.package}
        return {
            **{name: value for name, value in named.items() if value is not None},
            "printer": self._printer,
            "copies": what.labels,
            "proof": proof,
        }

    def _checked(self, job: PrintJob) -> Expected:
        """Before anything is sent: what is printed must be what can be recorded, too."""
        try:
            what = expected(job, self._profile.language)
            LabelPrinted.model_validate(self.label(job, what, 0))
        except ValidationError as error:
            wrong = error.errors()[0]
            where = ".".join(str(part) for part in wrong["loc"])
            raise Rejected("bad-job", f"{where}: {wrong['msg']}.") from None
        except ValueError as error:
            raise Rejected("bad-job", f"This is no job for {self._printer}: {error}.") from None
        return what
