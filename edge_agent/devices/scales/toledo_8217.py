"""Toledo 8217 and its 8213 variant: one weight on demand. Pure.

Sources: Mettler-Toledo DIVA service manual (PSC Magellan 8500), 6.1.3 and 6.1.4; Transcell PC-150
appendix B; Rice Lake BenchPro, Brecknell 67xx. ``W`` answers STX weight CR, or STX ``?`` status CR
when there is no weight to be had. The frame names no unit: that is in the profile. A weight is
always a stable one, and below zero there is none.

The status byte has bit 6 always set. The 8213 has bit 5 (net) always set as well, so a profile for
one says ``net_bit_always``. STX marks the start, so the tail of a cut frame is never a weight;
there is no checksum, and line noise that turns a digit into another one is only caught by parity
(7E1).
"""

from __future__ import annotations

import re

from edge_agent.devices.scales.framing import Between, stx_to_cr
from edge_agent.devices.scales.profile import ScaleProfile, request_of, unit_of_profile
from edge_agent.devices.scales.reading import (
    ScaleReading,
    Status,
    failed,
    number,
    said_text,
    weighed,
)
from edge_agent.devices.scales.units import unit_of

#: Five or six characters as a rule; four at least, so that a digit of noise is no weight.
_WEIGHT = re.compile(
    rb"(?=.{4}) *([0-9]{1,7}(?:\.[0-9]{0,5})?|\.[0-9]{1,5}) *(kg|KG|lb|LB|oz|OZ|g|G)?(N?)"
)
_ALWAYS, _NET = 0x40, 0x20
#: Bits of the status byte, the worst first.
_STATUS: tuple[tuple[int, Status, str], ...] = (
    (0x02, "overload", ""),
    (0x04, "underload", ""),
    (0x01, "motion", ""),
    (0x08, "info", "outside_zero_capture"),
    (0x10, "info", "center_of_zero"),
    (_NET, "info", "net"),
)
_TEST_FAULTS = {0x02: "novrom", 0x04: "ram", 0x08: "processor_ram", 0x10: "rom"}


class Toledo8217:
    """One scale that speaks 8217 or 8213."""

    def __init__(self, profile: ScaleProfile) -> None:
        self._profile = profile

    def request(self) -> bytes | None:
        return request_of(self._profile, "W", end="")

    def framer(self) -> Between:
        return stx_to_cr()

    def decode(self, frame: bytes, command: str | None = None) -> ScaleReading:
        if not frame:
            return failed(frame, "no_response")
        body, _, echoed = frame.removeprefix(b"\x02").partition(b"\r")
        asked = (command or "")[:1]
        if body in {b"E", b"F"}:
            return _echo(frame, body == b"E", echoed, command)
        if echoed.strip(b"\n"):
            return failed(frame, "not_understood")
        if asked == "A" and body in {b"", b"?"}:
            return ScaleReading("info", said_text(frame), detail="test_started")
        weight = _WEIGHT.fullmatch(body)
        if weight is not None:
            return self._weight(frame, weight[1], weight[2] or b"", weight[3] == b"N")
        if body.startswith(b"?") and len(body) == 2:
            return _test(frame, body[1]) if asked == "B" else self._status(frame, body[1])
        if asked == "B" and len(body) == 1:
            return _test(frame, body[0])
        return failed(frame, "not_understood")

    def _weight(self, frame: bytes, digits: bytes, spelling: bytes, net: bool) -> ScaleReading:
        found = number(digits.decode())
        if found is None:
            return failed(frame, "not_understood")
        unit = unit_of(spelling.decode()) if spelling else unit_of_profile(self._profile)
        return weighed(frame, found[0], unit, stable=True, mode="net" if net else "gross")

    def _status(self, frame: bytes, byte: int) -> ScaleReading:
        if byte & 0x80 or not byte & _ALWAYS:
            return failed(frame, "not_understood")  # a bit was flipped on the way
        if self._profile.net_bit_always:
            byte &= ~_NET
        for bit, status, detail in _STATUS:
            if byte & bit:
                return ScaleReading(status, said_text(frame), detail=detail)
        return ScaleReading("info", said_text(frame), detail="ready")


def _test(frame: bytes, byte: int) -> ScaleReading:
    faults = [name for bit, name in _TEST_FAULTS.items() if byte & bit]
    if faults:
        return failed(frame, "test_failed " + " ".join(faults))
    detail = "test_passed" if byte & _ALWAYS else "no_test_result"
    return ScaleReading("info", said_text(frame), detail=detail)


def _echo(frame: bytes, begins: bool, echoed: bytes, command: str | None) -> ScaleReading:
    """``E`` turns on that the scale repeats what it hears: a probe that no other device answers."""
    sent = (command or "").encode("latin-1", "replace")[1:].rstrip(b"\r\n")
    detail = "echo_on" if begins else "echo_off"
    if begins and sent and echoed:
        if not echoed.startswith(sent):
            return failed(frame, "probe_mismatch")
        detail = "probe_ok"
    elif echoed and begins:
        detail = "probe_ok"
    return ScaleReading("info", said_text(frame), detail=detail)
