"""What a printer is, from what it answered and pushed, and which changes are worth an event. Pure.

One set of words for every language: *conditions*, each of which weighs as a state. The worst one
is the state. A printer that is silent is at fault, never unknown.

Invariants: every change that lasts is told, once. A change is told at once when what was before had
lasted; in a flutter only what has lasted for ``settle_s`` is told. Working and being ready are the
same to the record: a label an hour or a thousand, they are no events.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from edge_agent.devices.printers.zebra_alert import CONDITIONS, Alert

State = Literal["ok", "busy", "paused", "attention", "error", "offline"]

#: From the worst. A condition that stands nowhere is an error: it came from a table of faults.
_ORDER: tuple[State, ...] = ("offline", "error", "attention", "paused", "busy", "ok")
_WORKING: State = "busy"
_READY: State = "ok"
_WEIGHTS: dict[State, frozenset[str]] = {
    "offline": frozenset({"unreachable"}),
    "attention": frozenset(
        {"media_out", "ribbon_out", "head_open", "cover_open", "paper_jam", "ribbon_jam"}
        | {"rewinder_full", "ribbon_in", "waiting_for_key"}
    ),
    "paused": frozenset({"paused"}),
    "ok": frozenset(  # worth a word, and it prints on
        {"label_waiting", "buffer_full", "receive_buffer_full", "media_low", "ribbon_low"}
        | {"paper_near_end", "need_to_calibrate_media", "clean_printhead", "replace_printhead"}
        | {"battery_low", "maintenance_due", "reserved_04", "reserved_20"}
    ),
}
_STATE_OF: dict[str, State] = {name: s for s, names in _WEIGHTS.items() for name in names}
#: What comes and goes with each label.
_PASSING = frozenset({"label_waiting", "buffer_full", "receive_buffer_full"})
#: What an answered poll knows better than an alert of before.
_POLLED = frozenset(
    {"media_out", "ribbon_out", "head_open", "paused", "over_temperature", "under_temperature"}
)
#: What no question tells.
_PUSHED_ONLY = frozenset({"media_low", "ribbon_low", "battery_low", "rfid_error", "ribbon_in"})
_FAULTS_OF_ANSWER = frozenset({"unreachable", "no_answer", "incomplete_answer", "bad_answer"})
#: What such a one is in a sentence, with what to do.
REMEDY = {
    "no_answer": "The printer does not answer: check media, ribbon and head.",
    "incomplete_answer": "The printer's answer broke off: check its network.",
    "bad_answer": "The printer answers something else than its language has: check its language.",
    "unreachable": "The printer cannot be reached: check its power and network.",
}
#: Silence explained: a printer that pushed one of these need not be asked why it does not answer.
_SILENT = frozenset({"no_answer"})


def why_not(conditions: Iterable[str]) -> str:
    """Why it does not print, as the end of a sentence."""
    named = list(conditions)
    for condition in named:
        if condition in REMEDY:
            return REMEDY[condition].replace("The ", "the ", 1).rstrip(".")
    return f"the printer says {', '.join(named)}"


def weight(condition: str) -> State:
    """The state that ``condition`` alone makes."""
    if condition.startswith("sensor_"):
        return "ok"
    return _STATE_OF.get(condition, "error")


@dataclass(frozen=True, slots=True)
class Seen:
    """What a printer was seen to be. ``said`` is what it sent, for people."""

    conditions: tuple[str, ...] = ()
    said: str = ""
    busy: bool = False

    @property
    def state(self) -> State:
        states = [weight(one) for one in self.conditions]
        return min([*states, _WORKING if self.busy else _READY], key=_ORDER.index)

    @property
    def answered(self) -> bool:
        """Whether this came from an answer that was understood."""
        return not _FAULTS_OF_ANSWER.intersection(self.conditions)

    @property
    def ready(self) -> bool:
        """Whether it prints what it is sent."""
        return self.state in ("ok", "busy")


def seen(conditions: Iterable[str], said: str = "", *, busy: bool = False) -> Seen:
    """Each condition once, the worst first, so that the same fault looks the same every time."""
    ordered = sorted(set(conditions), key=lambda one: (_ORDER.index(weight(one)), one))
    return Seen(tuple(ordered), said, busy)


class PrinterPicture:
    """Puts polls and pushed alerts together."""

    def __init__(self) -> None:
        self._polled = Seen(("no_answer",))
        self._pushed: set[str] = set()

    def polled(self, one: Seen, *, thorough: bool = False) -> Seen:
        """A poll was made, of everything that can be asked if ``thorough``; what is known now."""
        self._polled = one
        if one.answered:
            self._pushed -= _POLLED
        if thorough:
            self._pushed &= _PUSHED_ONLY
        return self._now()

    def alerted(self, one: Alert) -> Seen:
        """An alert came; what is known now, before the next poll."""
        condition = CONDITIONS.get(one.condition or "")
        if condition is not None and one.state == "set":
            self._pushed.add(condition)
        elif condition is not None:
            self._pushed.discard(condition)
            if self._polled.answered:  # the poll of before is no longer right about this
                left = [name for name in self._polled.conditions if name != condition]
                self._polled = seen(left, self._polled.said, busy=self._polled.busy)
        elif one.condition in ("POWER ON", "COLD START"):
            self._pushed.clear()
        return self._now()

    def _now(self) -> Seen:
        conditions = set(self._polled.conditions) | self._pushed
        if "unreachable" in conditions:
            return self._polled
        if any(weight(one) == "attention" for one in self._pushed):
            conditions -= _SILENT  # the alert says why it is silent
        return seen(conditions, self._polled.said, busy=self._polled.busy)


class StateChanges:
    """Which of the states that are seen become events."""

    def __init__(self, settle_s: float) -> None:
        """``settle_s``: how long what follows a short-lived state must last to be told."""
        self._settle_s = settle_s
        self._told: tuple[State, tuple[str, ...]] | None = None
        self._now: tuple[State, tuple[str, ...]] | None = None
        self._since = 0.0

    def look(self, one: Seen, at: float) -> bool:
        """Whether what was seen at ``at`` (monotonic seconds) is to be told now."""
        key = (one.state, one.conditions)
        key = _lasting(key)
        if self._told is None:
            self._told, self._now, self._since = key, key, at
            return True
        lasted = at - self._since >= self._settle_s
        if key != self._now:
            self._now, self._since = key, at
        if key == self._told or not lasted:
            return False
        self._told = key
        return True


def _lasting(key: tuple[State, tuple[str, ...]]) -> tuple[State, tuple[str, ...]]:
    """Working is being ready, and what comes and goes with each label is left out."""
    conditions = tuple(one for one in key[1] if one not in _PASSING)
    return ("ok" if key[0] == "busy" else key[0], conditions)
