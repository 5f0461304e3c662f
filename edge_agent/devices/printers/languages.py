"""How a printer is asked, in each language: questions out, answers in, one verdict. Pure.

A dialogue is a generator: it yields a :class:`Question`, is sent the answer (empty: silence), and
returns a :class:`Poll`. Who drives it does the input and output.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from dataclasses import dataclass

from edge_agent.devices.escapes import escaped
from edge_agent.devices.printers import escpos, tspl, zpl_hqes, zpl_hs, zpl_sgd
from edge_agent.devices.printers.profile import PrinterProfile
from edge_agent.devices.printers.state import Seen, seen
from edge_agent.devices.printers.zebra_alert import take_alerts


@dataclass(frozen=True, slots=True)
class Question:
    """What is sent, and when its answer is whole."""

    data: bytes
    complete: Callable[[bytes], bool]
    optional: bool = False
    """Not every model answers it: a short wait is enough."""


@dataclass(frozen=True, slots=True)
class Poll:
    """What one poll found. ``idle`` is whether nothing is left to print, if that can be told."""

    seen: Seen
    idle: bool | None = None
    thorough: bool = False
    """Whether it was asked, and told, everything that can be asked."""


Dialogue = Generator[Question, bytes, Poll]
#: Takes out of what came what is no answer: alerts, answers given in the order of printing.
Sieve = Callable[[bytes], tuple[bytes, list[bytes]]]


def poll(profile: PrinterProfile, *, error_flags: bool = True) -> Dialogue:
    """One poll. ``error_flags``: whether this printer is known to answer ``~HQES``, or not yet."""
    if profile.language == "zpl":
        return _zpl(profile.error_flags and error_flags)
    return _escpos() if profile.language == "escpos" else _tspl()


def sieve(profile: PrinterProfile) -> Sieve:
    """What a printer of that kind says without being asked just now."""
    if profile.language == "zpl":
        return take_alerts
    return _in_turn if profile.language == "escpos" else _nothing


def odometer(profile: PrinterProfile) -> Question | None:
    """The question for the counter of labels, if there is one."""
    if profile.odometer is None:
        return None
    return Question(zpl_sgd.getvar(profile.odometer), zpl_sgd.complete, optional=True)


def count_of(answer: bytes) -> int | None:
    """The count in the answer to :func:`odometer`; ``None`` for silence, ``"?"`` and nonsense."""
    try:
        return zpl_sgd.variable(answer, None).number
    except ValueError:
        return None


def _fault(answer: bytes, reason: str) -> Poll:
    return Poll(seen((reason,), escaped(answer)))


def _zpl(error_flags: bool) -> Dialogue:
    answer = yield Question(zpl_hs.COMMAND, zpl_hs.complete)
    flags = b""
    if error_flags:
        flags = yield Question(zpl_hqes.COMMAND, zpl_hqes.complete, optional=True)
    return zpl_poll(answer, flags)


def zpl_poll(answer: bytes, flags_answer: bytes) -> Poll:
    """What ``~HS`` and ``~HQES`` tell together; the second may be missing, or all there is."""
    try:
        flags = zpl_hqes.error_flags(flags_answer) if flags_answer else None
    except ValueError:
        flags = None
    told = () if flags is None else (*flags.errors, *flags.warnings)
    said = " ".join(escaped(part) for part in (answer, flags_answer) if part)
    if not answer:
        # silence with a reason; without one it is a fault all the same
        return Poll(seen(told if flags and flags.errors else (*told, "no_answer"), said))
    try:
        status = zpl_hs.host_status(answer)
    except ValueError:
        begun = answer.lstrip(b"\r\n\0").startswith(b"\x02") and b"\x03" not in answer
        return Poll(seen((*told, "incomplete_answer" if begun else "bad_answer"), said))
    if status.incomplete:
        return Poll(seen((*told, *status.conditions(), "incomplete_answer"), said))
    conditions = (*status.conditions(), *told)
    return Poll(
        seen(conditions, said, busy=status.busy),
        idle=not status.busy,
        thorough=flags is not None and not flags.incomplete,
    )


def _escpos() -> Dialogue:
    """Status 1 alone when it is online, the causes when it is not, and always the paper."""
    fields: dict[str, object] = {}
    said = b""
    for number, data in enumerate(
        (escpos.PRINTER, escpos.OFFLINE, escpos.ERROR, escpos.PAPER), start=1
    ):
        if fields.get("online") and number in (2, 3):
            continue
        answer = yield Question(data, _has_real_time)
        said += answer
        bytes_ = [byte for byte in answer if escpos.real_time(byte)]
        if not bytes_:
            return _fault(said, "bad_answer" if answer else "no_answer")
        fields |= escpos.status_fields(bytes(bytes_[-1:]), f"DLE EOT {number}")
    return Poll(seen(escpos.conditions(fields), escaped(said)), thorough=True)


def _has_real_time(data: bytes) -> bool:
    return any(map(escpos.real_time, data))


#: A status sent by itself (first byte and three), whole or as much of it as came.
_AUTOMATIC = re.compile(rb"[\x10\x14\x18\x1c\x30\x34\x38\x3c\x50\x54\x58\x5c\x70\x74\x78\x7c]"
                        rb"(?:[\x00-\x0f\x20-\x2f\x40-\x4f\x60-\x6f]{3}"
                        rb"|[\x00-\x0f\x20-\x2f\x40-\x4f\x60-\x6f]{0,2}\Z)")  # fmt: skip
#: Answers to ``GS r 1`` with paper, near its end, and without. No other byte proves anything.
_IN_TURN = frozenset(b"\x00\x03\x0c\x0f")


def _in_turn(data: bytes) -> tuple[bytes, list[bytes]]:
    """Answers to ``GS r 1`` and what is left; a status sent by itself has such bytes, too."""
    rest, found, end = bytearray(), [], 0
    for automatic in [*_AUTOMATIC.finditer(data), None]:
        plain = data[end : len(data) if automatic is None else automatic.start()]
        found += [bytes([byte]) for byte in plain if byte in _IN_TURN]
        rest += bytes(byte for byte in plain if byte not in _IN_TURN)
        if automatic is not None:
            end = automatic.end()
            rest += automatic[0] if len(automatic[0]) < 4 else b""
    return bytes(rest), found


def _nothing(data: bytes) -> tuple[bytes, list[bytes]]:
    return data, []


def _tspl() -> Dialogue:
    answer = yield Question(tspl.STATUS, _one_byte)
    if not answer:
        return _fault(answer, "no_answer")
    if len(answer) > 1:  # noise, or the answer to something else
        return _fault(answer, "bad_answer")
    conditions, busy = tspl.conditions(tspl.answer_fields(answer, "!?"))
    return Poll(
        seen(conditions, escaped(answer), busy=busy),
        idle=not busy and not conditions,
        thorough=True,
    )


def _one_byte(data: bytes) -> bool:
    return len(data) >= 1
