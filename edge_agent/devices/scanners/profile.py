"""``[scanner]`` of a profile: how reads are cut from bytes, and what is in a payload."""

from __future__ import annotations

import codecs
import re
from itertools import permutations
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, field_validator, model_validator

from edge_agent.devices.profiles.parts import Part, Seconds
from edge_agent.devices.scanners.pointers import check_source
from edge_agent.devices.scanners.times import check_time_format, check_time_zone
from edge_contract.kind_names import RAW_KINDS, Kind


def _listed(value: object) -> object:
    """One text stands for a list of one."""
    return (value,) if isinstance(value, str) else value


def _latin1(value: str) -> str:
    if any(ord(character) > 0xFF for character in value):
        raise ValueError("names bytes: use characters up to \\u00ff, such as \\u0002 for STX")
    return value


def _source(value: str) -> str:
    check_source(value)
    return value


#: Bytes, written as text: ``"\\u0002"`` is STX, ``"\\r"`` is CR.
ByteText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=50),
    BeforeValidator(lambda value: _latin1(value) if isinstance(value, str) else value),
]
ByteTexts = Annotated[tuple[ByteText, ...], BeforeValidator(_listed)]
Texts = Annotated[tuple[Annotated[str, Field(max_length=200)], ...], BeforeValidator(_listed)]
#: Where a value stands: a JSON pointer from the read (``/data/idHex``) or from the whole payload
#: (``#/timestamp``), or a level of the topic (``topic:zone``). Of several the first that is there.
Sources = Annotated[
    tuple[Annotated[str, Field(max_length=300), BeforeValidator(_source)], ...],
    BeforeValidator(_listed),
]


class LengthField(Part):
    """``[scanner.frame] length``: the frame says before the data how many bytes follow."""

    size: Annotated[int, Field(ge=1, le=8)]
    """Bytes of the length itself."""
    form: Literal["decimal", "hex", "big-endian", "little-endian"] = "decimal"


class Framing(Part):
    """``[scanner.frame]``: where a read begins and ends on a serial line."""

    start: ByteTexts = ()
    """What begins a read (one of several), as ``"\\u0002"``."""
    start_required: bool = False
    """Bytes that follow no start are noise."""
    end: ByteTexts = ("\r", "\n")
    """What ends a read (any of several). Empty: only silence or the length does."""
    max_bytes: Annotated[int, Field(ge=1, le=65536)] = 4096
    """A read that grows longer is quarantined and skipped up to its end."""
    idle_flush_s: Seconds | None = None
    """So long a silence ends a read, too. Absent: what is unfinished waits."""
    length: LengthField | None = None

    @model_validator(mode="after")
    def _ends(self) -> Framing:
        if not (self.end or self.idle_flush_s or self.length):
            raise ValueError("nothing ends a read: set end, idle_flush_s or length")
        if self.start_required and not self.start:
            raise ValueError("start_required needs start")
        if self.length and not self.start:
            raise ValueError("length needs start, or nobody knows where the length stands")
        tokens = [*((text, False) for text in self.start), *((text, True) for text in self.end)]
        for (one, one_ends), (other, other_ends) in permutations(tokens, 2):
            longer_end = one_ends and other_ends and other.startswith(one)
            if one in other and not longer_end:
                raise ValueError(
                    f"{one!r} stands in {other!r}: which of them is meant would depend on how the "
                    "bytes arrive"
                )
        return self


class Reads(Part):
    """``[scanner.read]``: where in a JSON payload the reads are, and in a read its parts."""

    list: Sources = ()
    """Where the reads are listed (of several all that are there); where nothing is, the payload is
    one read, or a list of them."""
    data: Sources = ("/data", "/barcode")
    symbology: Sources = ()
    time: Sources = ()
    id: Sources = ()
    sequence: Sources = ()
    antenna: Sources = ()
    extras: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")], Sources] = Field(
        default_factory=dict
    )
    """Whatever else is worth showing (a text or a number), by a name of your own."""
    only: dict[Annotated[str, BeforeValidator(_source)], Texts] = Field(default_factory=dict)
    """Take only reads in which this place has one of these values."""
    ignore: dict[Annotated[str, BeforeValidator(_source)], Texts] = Field(default_factory=dict)
    """Leave reads out in which this place has one of these values, such as a heartbeat."""
    time_format: str = "iso"
    """``iso``, ``epoch-s``, ``epoch-ms``, ``epoch-us``, ``epoch-ns``, a strptime pattern, or
    ``any``: a number of 10, 13, 16 or 19 digits is one of the epochs, and all else ``iso``."""
    time_zone: str | None = None
    """Zone of a time that says none, as ``Europe/Berlin``; absent: such a time is a mistake."""
    data_encoding: Literal["text", "ascii-hex", "base64", "base64-hex"] = "text"
    """``text``: as it stands (an EPC in hexadecimal digits stays that). ``ascii-hex`` and
    ``base64`` are the barcode's bytes; ``base64-hex`` are those of a tag, shown in digits."""
    data_may_be_number: bool = False
    """Take a JSON number as data. Off, because a number has lost its leading zeros."""

    @field_validator("time_format")
    @classmethod
    def _time_format(cls, value: str) -> str:
        check_time_format(value)
        return value

    @field_validator("time_zone")
    @classmethod
    def _time_zone(cls, value: str | None) -> str | None:
        if value is not None:
            check_time_zone(value)
        return value


class EventMapping(Part):
    """``[scanner.event]``: messages of an app that are events of the contract in other words."""

    kind: Kind
    data: dict[str, Any]
    """Fields of the kind: a source as in ``[scanner.read]``, or a constant. A text that looks like
    a source and is none begins with ``=``. ``{each = "/lines", …}`` maps a list."""

    @field_validator("data")
    @classmethod
    def _sources(cls, value: dict[str, Any]) -> dict[str, Any]:
        _check_fields(value)
        return value


def _check_fields(fields: dict[str, Any]) -> None:
    for name, value in fields.items():
        if isinstance(value, dict):
            _check_fields(value)
        elif isinstance(value, str) and value.startswith(("/", "#/", "topic:")):
            check_source(value)
        elif name == "each":
            raise ValueError(f"each is a JSON pointer to a list, not {value!r}")
        elif not isinstance(value, str | int | bool):
            raise ValueError(f"{name} must be a text, a whole number, true or false, or a table")


class ScannerProfile(Part):
    """How to understand a scanner or reader."""

    format: Literal["text", "hex", "json", "glued-json", "ndjson"] = "text"
    """Of an MQTT payload. ``text`` and ``hex`` are cut by ``frame`` as a serial line is."""
    encoding: Texts = ("utf-8",)
    """Of the characters; of several the first that fits, as ``["utf-8", "latin-1"]``."""
    frame: Framing = Framing()
    prefix: ByteTexts = ()
    """What precedes the data and is taken off when it is there (one of several)."""
    suffix: ByteTexts = ()
    aim_id: Literal["required", "optional", "absent"] = "optional"
    """The AIM symbology identifier (``]C1``) before the data."""
    code_id: Literal["none", "prefix", "suffix"] = "none"
    """Where the maker's own code identifier stands that ``code_ids`` explains."""
    code_ids: dict[ByteText, str] = Field(default_factory=dict)
    """The maker's code identifiers: AIM identifier of each, empty when it has none."""
    group_separators: Texts = ()
    """What stands for the GS1 group separator. One of several characters (``{GS}``) always does;
    a single one (``#``) only in what is a GS1 element string with it."""
    no_read: Texts = ()
    """What the scanner says when it read nothing, exactly."""
    replies: Texts = ()
    """Regular expressions of what is no read at all, such as an answer to a command."""
    duplicate_window_s: Annotated[float, Field(ge=0, le=3600)] = 0.0
    """The same data again within so long is one read. A label that stays in view stays one."""
    answer_good: ByteText | None = None
    """Sent back to a scanner on a line for each read once it is stored, as ``"\\u0006"``."""
    answer_bad: ByteText | None = None
    """Sent back for a read that makes no sense and was set aside, as ``"\\u0015"``."""
    symbologies: dict[str, str] = Field(default_factory=dict)
    """What the device calls a symbology: its AIM identifier, where the agent does not know it."""
    max_reads: Annotated[int, Field(ge=1, le=100_000)] = 10_000
    """Most reads of one payload."""
    read: Reads = Reads()
    event: EventMapping | None = None

    @field_validator("encoding")
    @classmethod
    def _codecs(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            try:
                text = codecs.lookup(name)._is_text_encoding
            except LookupError:
                text = False
            if not text:
                raise ValueError(f"there is no encoding {name!r}: use utf-8, latin-1, cp1252, …")
        if not value:
            raise ValueError("names no encoding")
        return value

    @field_validator("replies")
    @classmethod
    def _patterns(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in value:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
        return value

    @model_validator(mode="after")
    def _fits(self) -> ScannerProfile:
        if (self.code_id == "none") != (not self.code_ids):
            raise ValueError("code_id and code_ids go together")
        if self.event is None:
            return self
        if self.format in {"text", "hex"}:
            raise ValueError("[scanner.event] needs a JSON format")
        if self.event.kind not in RAW_KINDS and not self.read.id:
            raise ValueError(
                f"{self.event.kind} has an effect in Odoo: set read.id to where the app's own id "
                "of the event is, or it could be booked twice"
            )
        return self
