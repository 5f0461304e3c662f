"""``[printer]`` of a profile: which status language a printer speaks, and how it is asked."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from edge_agent.devices.profiles.parts import Part, Port, Seconds

Language = Literal["zpl", "escpos", "tspl"]


class PrinterProfile(Part):
    """How to ask a printer how it is, and how to tell what became of a label."""

    language: Language
    poll_interval_s: Seconds = 5.0
    timeout_s: Seconds = 3.0
    """Silence for this long is a fault: a printer with its media out may not answer at all."""
    settle_s: Annotated[float, Field(ge=0, le=3600)] = 3.0
    """A printer that flutters between states is told once one of them has lasted this long. What
    changes after a time of rest is told at once."""
    keep_open: bool = False
    """Hold the TCP connection between polls. Off: most printers take one connection at a time, and
    a held one keeps the labels of others waiting. A serial port is always held."""
    error_flags: bool = True
    """``zpl``: ask for ``~HQES``, too. It explains the silence of ``~HS`` on many models."""
    odometer: Annotated[str, Field(pattern=r"^[a-z0-9_.]{1,60}$")] | None = None
    """``zpl``: the SGD variable that counts labels. Without it no label is proven by count."""
    alerts_port: Port | None = None
    """``zpl`` over TCP: where the agent listens for the alerts that the printer pushes. One port a
    printer, because an alert does not name its job. Taken from the printer's own address only."""
    job_timeout_s: Seconds = 60.0
    """A print job that makes no progress for this long ends with what was seen until then."""
    idle_s: Seconds = 0.5
    """How long a printer must have been idle to count as done."""
    alert_wait_s: Seconds = 5.0
    """How long the counter and the alert of a job are waited for once the printer is idle."""

    @model_validator(mode="after")
    def _zpl_only(self) -> PrinterProfile:
        if self.language != "zpl" and (self.odometer or self.alerts_port):
            raise ValueError("odometer and alerts_port are of printers with language zpl")
        return self
