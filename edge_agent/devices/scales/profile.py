"""``[scale]`` of a profile: which protocol a scale speaks, and how it is asked."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from edge_agent.devices.escapes import unescaped
from edge_agent.devices.profiles.parts import Part, Seconds
from edge_agent.devices.scales.reading import Status
from edge_agent.devices.scales.units import Unit, unit_of
from edge_contract.scalars import CountedQuantity, UnitCode

ScaleProtocol = Literal[
    "mt-sics",
    "toledo-8217",
    "toledo-continuous",
    "nci-scp01",
    "sma",
    "and-standard",
    "sartorius-sbi",
    "regex",
]

#: What a pattern may name in a line.
GROUPS = frozenset({"value", "unit", "stable", "unstable", "net", "gross", "tare", "detail"})


class Pattern(Part):
    """``[[scale.patterns]]``: one kind of line that a scale of protocol ``regex`` says.

    The first pattern that matches the whole line, without its end, decides. Named groups carry the
    rest: ``value`` and ``unit``; ``stable``, ``unstable``, ``net`` and ``gross`` hold when they
    match anything; ``tare`` and ``detail`` are taken over.
    """

    match: Annotated[str, Field(min_length=1, max_length=1000)]
    """Regular expression of the whole line."""
    status: Status = "ok"
    """Only ``ok`` is a weight."""
    stable: Literal["yes", "no", "unknown"] = "unknown"
    """What a weight is that shows neither ``stable`` nor ``unstable``."""
    detail: str = ""
    example: str
    """A line that it matches; checked with the profile, and what a simulator says."""

    @model_validator(mode="after")
    def _matches_its_example(self) -> Pattern:
        try:
            pattern = re.compile(self.match)
        except re.error as error:
            raise ValueError(f"match is no regular expression: {error}") from None
        unknown = set(pattern.groupindex) - GROUPS
        if unknown:
            raise ValueError(
                f"match names {', '.join(sorted(unknown))}; known: {', '.join(sorted(GROUPS))}"
            )
        if self.status == "ok" and "value" not in pattern.groupindex:
            raise ValueError("match of a weight needs a group (?P<value>…)")
        if self.status != "ok" and "value" in pattern.groupindex:
            raise ValueError("match has a group value, and only status ok is a weight")
        if not pattern.fullmatch(self.example):
            raise ValueError(f"match does not match its example {self.example!r}")
        return self


class ScaleProfile(Part):
    """How to talk to a scale."""

    protocol: ScaleProtocol
    mode: Literal["polled", "streamed"] = "polled"
    """``polled``: the agent asks. ``streamed``: the scale sends by itself, always or on change."""
    command: str | None = None
    """What is sent to ask, with escapes; absent: the protocol's own. Its end (CR, LF) is
    added where it has none and the protocol wants one; ``regex`` sends it as it is."""
    start_command: str | None = None
    """Sent once when the port was opened, as ``SIR`` to a scale that streams when told to."""
    unit: str | None = None
    """Unit of a weight whose frame names none."""
    units: dict[Annotated[str, Field(min_length=1, max_length=10)], UnitCode] = Field(
        default_factory=dict
    )
    """Spellings of this scale that we do not know, with their UN/ECE code."""
    decimal_mark: Literal[".", ","] = "."
    """What the display shows before the decimals (protocols regex and and-standard)."""
    poll_interval_s: Seconds = 0.25
    """Between two questions; twice as long while nothing changes on the scale."""
    reply_timeout_s: Seconds = 1.0
    silence_s: Seconds = 5.0
    """So long without a frame from a scale that streams is a fault."""
    silence_ok: bool = False
    """The scale does not answer while its weight stays as it was: silence is no fault."""
    min_change: CountedQuantity = Decimal(0)
    """A stable weight is news when it differs from the last one by more than this (same unit)."""
    settle: Annotated[int, Field(ge=1, le=100)] = 3
    """So many equal readings in a row are a stable weight, where the scale does not say."""
    checksum: bool | None = None
    """toledo-continuous: whether a checksum byte follows CR. Absent: a stream has none, and one
    frame by itself is checked when it has one."""
    tare_field: bool | None = None
    """toledo-continuous: whether there is a tare field. Absent: a stream has one."""
    net_bit_always: bool = False
    """toledo-8217: bit 5 of the status byte is always set and says nothing (8213)."""
    patterns: tuple[Pattern, ...] = ()
    """regex: the lines it says."""
    template: str | None = None
    """regex: how a simulator says a weight: ``{value:>11} {unit:<5}{unstable:1}``."""

    @field_validator("command", "start_command")
    @classmethod
    def _is_bytes(cls, value: str | None) -> str | None:
        if value is not None and not unescaped(value):
            raise ValueError("sends nothing: remove it")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> ScaleProfile:
        if (self.protocol == "regex") != bool(self.patterns):
            raise ValueError("patterns are for protocol regex, which needs at least one")
        if self.unit is not None and unit_of(self.unit, self.units) is None:
            raise ValueError(f"unit {self.unit!r} is not known: give its code in units")
        if self.template is not None:
            self._says_what_it_understands()
        return self

    def _says_what_it_understands(self) -> None:
        """A template that the patterns do not match would make a simulator nobody understands."""
        for pattern in self.patterns:
            if pattern.status == "ok" and (said := re.fullmatch(pattern.match, pattern.example)):
                groups = said.groupdict()
                value = (groups["value"] or "0").replace(self.decimal_mark, ".")
                unit = (groups.get("unit") or self.unit or "kg").strip()
                line = template_line(self, re.sub(r"[ +]", "", value), unit, stable=True)
                first = next((p for p in self.patterns if re.fullmatch(p.match, line)), None)
                if first is None or first.status != "ok":
                    raise ValueError(
                        f"template says {line!r}, which no pattern takes for a weight:"
                        " mind the blanks at its end"
                    )
                return


def template_line(profile: ScaleProfile, value: str, unit: str, *, stable: bool) -> str:
    """A weight as ``template`` says it, without the line's end.

    What is not stable is marked as in the profile's own examples, else with a question mark.
    """
    marks = (
        said["unstable"]
        for pattern in profile.patterns
        if "unstable" in re.compile(pattern.match).groupindex
        and (said := re.fullmatch(pattern.match, pattern.example))
        and said["unstable"]
    )
    try:
        return (profile.template or "").format(
            value=value.replace(".", profile.decimal_mark),
            sign="-" if value.startswith("-") else " ",
            digits=value.lstrip("-").replace(".", profile.decimal_mark),
            unit=unit,
            unstable="" if stable else next(marks, "?"),
        )
    except (KeyError, IndexError, ValueError) as error:
        raise ValueError(
            f"template: {error}; it has {{value}}, or {{sign}} and {{digits}}, {{unit}} and"
            " {unstable}"
        ) from None


def unit_of_profile(profile: ScaleProfile) -> Unit | None:
    """The unit of a weight whose frame names none."""
    return unit_of(profile.unit, profile.units) if profile.unit else None


def request_of(profile: ScaleProfile, own: str, *, begin: str = "", end: str) -> bytes | None:
    """The bytes that ask for one weight; None when the scale sends by itself."""
    if profile.mode == "streamed":
        return None
    return command_bytes(profile.command or own, begin=begin, end=end)


def command_bytes(command: str, *, begin: str = "", end: str) -> bytes:
    """A command with its delimiters, unless it brings an end of its own."""
    sent = unescaped(command)
    if sent.endswith((b"\r", b"\n")):
        return sent
    return begin.encode() + sent + end.encode()
