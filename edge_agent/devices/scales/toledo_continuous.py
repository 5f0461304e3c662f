"""Toledo continuous output, streamed several times a second. Pure.

Sources: Mettler-Toledo Wildcat technical manual, appendix 2; KERN FTC, 5.2.2; Fairbanks FB3000,
appendix III; Cardinal 225 (short format). STX, three status words, six digits of weight, six of
tare, CR and, where the scale is set so, a checksum: the two's complement of the seven low bits of
the sum of all before it.

Whether there is a checksum and a tare field is set on the scale, so it is set in the profile and
never inferred from the stream: after CR any byte may follow, an STX too. STX and the place of CR
recognise a frame, so one that is cut or has lost a byte is dropped. Without a checksum a digit
that noise turned into another is not noticed.
"""

from __future__ import annotations

import re
from decimal import Decimal

from edge_agent.devices.scales.profile import ScaleProfile, request_of
from edge_agent.devices.scales.reading import ScaleReading, Status, failed, said_text, weighed
from edge_agent.devices.scales.units import Unit, unit_of

_STX, _CR = 0x02, 0x0D
_FIELD = re.compile(rb" *[0-9]+")
_NET, _NEGATIVE, _RANGE, _MOTION, _KG, _POWER_UP = 0x01, 0x02, 0x04, 0x08, 0x10, 0x40
_PRINT, _EXPANDED = 0x08, 0x10
#: Status word C, bits 0 to 2; 0 leaves it to bit 4 of B, 7 is a unit of the site's own.
_UNITS = {1: "g", 2: "t", 3: "oz", 4: "ozt", 5: "dwt", 6: "short ton"}
#: Bytes up to and with CR: with the tare field, and Cardinal's short format without.
LONG, SHORT = 17, 11


class ToledoContinuous:
    """One scale that sends by itself."""

    def __init__(self, profile: ScaleProfile) -> None:
        self._profile = profile

    def request(self) -> bytes | None:
        return request_of(self._profile, "P", end="\r\n")

    def framer(self) -> ContinuousFrames:
        length = SHORT if self._profile.tare_field is False else LONG
        return ContinuousFrames(length, checksum=self._profile.checksum is True)

    def decode(self, frame: bytes, command: str | None = None) -> ScaleReading:
        if not frame:
            return failed(frame, "no_response")
        whole = frame if frame[0] == _STX else bytes([_STX]) + frame
        length = LONG if len(whole) >= LONG else SHORT
        if self._profile.tare_field is not None:
            length = LONG if self._profile.tare_field else SHORT
        sent, extra = whole[:length], whole[length:]
        if len(sent) == length - 1:
            sent += bytes([_CR])
        if len(sent) != length or sent[-1] != _CR or len(extra) > 1:
            return failed(frame, "not_understood")
        # one frame by itself shows whether it has a checksum; in a stream the profile must tell
        if extra and self._profile.checksum is not False and (sum(sent) + extra[0]) & 0x7F:
            return failed(frame, "checksum_error")
        if not extra and self._profile.checksum:
            return failed(frame, "checksum_missing")
        return self._fields(frame, sent)

    def _fields(self, frame: bytes, sent: bytes) -> ScaleReading:
        a, b, c = sent[1:4]
        weight, tare = sent[4:10], sent[10:-1]
        if (a | b | c) & 0x80 or a & 0x60 != 0x20 or not c & 0x20:
            return failed(frame, "not_understood")
        if b & _RANGE:
            status: Status = "underload" if b & _NEGATIVE else "overload"
            return ScaleReading(status, said_text(frame))
        if b & _POWER_UP:
            return ScaleReading("info", said_text(frame), detail="power_up_not_zeroed")
        if not _FIELD.fullmatch(weight) or (tare and not _FIELD.fullmatch(tare)):
            return failed(frame, "not_understood")
        unit = self._unit(b, c)
        if unit is None:
            return failed(frame, "unknown_unit custom")
        places = (a & 0x07) - 2
        value = _placed(weight, places)
        told = (("print_request", c & _PRINT), ("expanded", c & _EXPANDED))
        return weighed(
            frame,
            f"-{value}" if b & _NEGATIVE else value,
            unit,
            stable=not b & _MOTION,
            mode="net" if b & _NET else "gross",
            tare=_placed(tare, places) if tare else None,
            unverified=value[-1] if c & _EXPANDED else None,
            detail=" ".join(word for word, holds in told if holds),
        )

    def _unit(self, b: int, c: int) -> Unit | None:
        code = c & 0x07
        if code == 0:
            return unit_of("kg" if b & _KG else "lb")
        return unit_of(_UNITS.get(code, self._profile.unit or ""), self._profile.units)


def _placed(digits: bytes, places: int) -> str:
    """The digits with so many decimals; below zero, with so many dummy zeros at their end."""
    if places <= 0:
        return str(int(digits) * 10**-places)
    return format(Decimal(int(digits)).scaleb(-places), "f")


class ContinuousFrames:
    """Cuts the stream by STX and the place of CR."""

    def __init__(self, length: int, *, checksum: bool) -> None:
        self._length = length
        self._checksum = checksum
        self._held = b""
        self.dropped = 0

    def feed(self, data: bytes) -> list[bytes]:
        self._held += data
        frames: list[bytes] = []
        whole = self._length + self._checksum
        while True:
            start = self._held.find(_STX)
            if start < 0:
                start = len(self._held)
            self.dropped += start
            self._held = self._held[start:]
            if len(self._held) < whole:
                return frames
            taken = whole if self._is_frame(self._held) else 1
            if taken == whole:
                frames.append(self._held[:whole])
            else:
                self.dropped += 1
            self._held = self._held[taken:]

    def _is_frame(self, held: bytes) -> bool:
        # status word B may be any byte, an STX or CR as well: some leave its bit 5 clear
        fields = held[1:2] + held[3 : self._length - 1]
        return held[self._length - 1] == _CR and _STX not in fields and _CR not in fields

    def clear(self) -> None:
        self.dropped += len(self._held)
        self._held = b""
