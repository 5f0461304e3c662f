"""Decodes answers to ``! U1 getvar "…"`` (Set-Get-Do) of Zebra printers. Pure.

Source: Zebra "ZPL II, ZBI 2, Set-Get-Do Programming Guide". An answer is a quoted text, as a rule
without a line end; what it means depends on the variable that was asked for, so the command is
needed. ``"?"`` says that the printer does not know the variable.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

ODOMETER = "odometer.total_label_count"
_NAME = re.compile(r"""getvar\s*["']([^"']+)["']?""", re.IGNORECASE)
_QUOTED = re.compile(rb'"([^"]*)"')
_UNKNOWN = re.compile(rb'\s*"?\?"?\s*')
_COUNT = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Variable:
    """What a variable is; ``value`` is ``None`` when the printer does not know it."""

    name: str | None
    value: str | None

    @property
    def number(self) -> int | None:
        """The value as a count, if it is one."""
        text = (self.value or "").strip()
        return int(text) if _COUNT.fullmatch(text) else None


def getvar(name: str) -> bytes:
    """The question for a variable."""
    return b'! U1 getvar "%s"\r\n' % name.encode("ascii")


def asked_for(command: str | None) -> str | None:
    """The variable that ``command`` asks for; a bare name is one, too."""
    if command is None:
        return None
    found = _NAME.search(command)
    if found:
        return found[1].strip().lower()
    bare = command.strip().strip("\"'")
    return bare.lower() if re.fullmatch(r"[\w.]+", bare, re.ASCII) else None


def complete(data: bytes) -> bool:
    """Whether the closing quote is there, or a bare question mark with its line end."""
    return _QUOTED.search(data) is not None or data.strip(b" ") == b"?\r\n"


def variable(data: bytes, command: str | None) -> Variable:
    """The variable in ``data``; raises ValueError when it is cut or none."""
    name = asked_for(command)
    if _UNKNOWN.fullmatch(data):
        return Variable(name, None)
    found = _QUOTED.search(data)
    if found is None:
        raise ValueError("no quoted answer")
    try:
        text = found[1].decode("utf-8")
    except UnicodeDecodeError:
        text = found[1].decode("latin-1")
    return Variable(name, text)


def configured_alerts(value: str) -> list[list[str]]:
    """The rows of ``alerts.configured``: condition, destination, on set, on clear, address, …"""
    return [row.split(",") for row in value.strip().split("|") if row.strip()]
