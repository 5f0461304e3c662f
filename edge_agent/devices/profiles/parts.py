"""What every part of a profile has in common."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from edge_agent.devices.escapes import unescaped

Seconds = Annotated[float, Field(gt=0, le=3600)]
Port = Annotated[int, Field(ge=1, le=65535)]


class Part(BaseModel):
    """A table of a profile: unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SerialLine(Part):
    """``[serial]``: line settings of a serial port, as the device leaves the factory."""

    baudrate: Annotated[int, Field(ge=50, le=4_000_000)] = 9600
    bytesize: Literal[7, 8] = 8
    parity: Literal["N", "E", "O", "M", "S"] = "N"
    stopbits: Literal[1, 2] = 1
    flow: Literal["none", "xonxoff", "rtscts", "dsrdtr"] = "none"
    dtr: bool = True
    """Whether DTR is raised while the port is open: some adapters take their power from it."""
    rts: bool = True
    """Whether RTS is raised while the port is open."""
    reopen_max_s: Seconds = 1.0
    """Longest wait before a port that is gone is tried again."""


class TcpLine(Part):
    """``[tcp]``: a raw TCP port of the device or of a serial device server."""

    port: Port
    connect_timeout_s: Seconds = 3.0
    keepalive_s: Annotated[int, Field(ge=1, le=3600)] = 15
    """Idle time before the kernel asks whether the other end is still there."""


class Discovery(Part):
    """``[discovery]``: by what the device is recognised. It proposes; it never decides."""

    usb: tuple[Annotated[str, Field(pattern=r"^[0-9a-f]{4}:[0-9a-f]{4}$")], ...] = ()
    """USB vendor and product ids, as ``0c2e:0b61``."""
    mdns: tuple[str, ...] = ()
    """Service types, as ``_pdl-datastream._tcp``."""
    named: tuple[str, ...] = ()
    """Words that occur in what the device calls itself (USB product, mDNS ``ty``), any case."""
    probe: str | None = None
    """What may be sent to a port that this profile claims, with escapes: ``"W\\r"``. Only with the
    consent of whoever runs the discovery."""
    answers: str | None = None
    """Regular expression that is found in a good answer to the probe (bytes read as Latin-1)."""

    @field_validator("probe")
    @classmethod
    def _is_bytes(cls, value: str | None) -> str | None:
        if value is not None and not unescaped(value):
            raise ValueError("sends nothing: remove it")
        return value

    @field_validator("answers")
    @classmethod
    def _is_expression(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                re.compile(value)
            except re.error as error:
                raise ValueError(f"is no regular expression: {error}") from None
        return value

    @model_validator(mode="after")
    def _question_and_answer(self) -> Discovery:
        if (self.probe is None) != (self.answers is None):
            raise ValueError(
                "probe and answers go together: what is sent, and what a good reply is"
            )
        return self
