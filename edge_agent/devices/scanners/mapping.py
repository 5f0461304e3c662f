"""``[scanner.event]``: the fields of an event out of an app's own JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from edge_agent.devices.scanners.pointers import MISSING, Message, find

#: Whole numbers in the contract; every other number is a decimal string there.
_WHOLE = frozenset({"copies", "proof", "boot"})
#: A number at their place has lost its leading zeros.
_TEXTS = frozenset({"barcode", "lot", "package"})


class Unmappable(Exception):
    """A read or message that cannot be taken: code and sentence of the complaint."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def mapped_data(fields: Mapping[str, Any], message: Message) -> dict[str, Any]:
    """The event's data. What its source does not have is left out: the contract knows what must
    be there. Raises :class:`Unmappable`."""
    data: dict[str, Any] = {}
    for name, wanted in fields.items():
        value = _value(name, wanted, message)
        if value is not MISSING:
            data[name] = value
    return data


def _value(name: str, wanted: Any, message: Message) -> Any:
    if isinstance(wanted, Mapping):
        if "each" not in wanted:
            return mapped_data(wanted, message)
        return _each(name, wanted, message)
    if not isinstance(wanted, str):
        return wanted
    if wanted.startswith("="):
        return wanted[1:]
    if not wanted.startswith(("/", "#/", "topic:")):
        return wanted
    value = find((wanted,), message)
    return value if value is MISSING else _contract(name, wanted, value)


def _each(name: str, wanted: Mapping[str, Any], message: Message) -> Any:
    found = find((wanted["each"],), message)
    if found is MISSING:
        return MISSING
    if not isinstance(found, list):
        raise Unmappable("bad_value", f"{wanted['each']} is no list, as {name} wants.")
    inner = {key: value for key, value in wanted.items() if key != "each"}
    return [mapped_data(inner, Message(item, message.document, message.captures)) for item in found]


def _contract(name: str, source: str, value: Any) -> Any:
    """``value`` as the contract spells it: amounts are decimal strings."""
    if isinstance(value, dict | list):
        raise Unmappable("bad_value", f"{source} is no single value, as {name} wants.")
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return value
    if name in _WHOLE:
        return value
    if name in _TEXTS:
        raise Unmappable(
            "bad_value", f"{source} is a number, and {name} is text: leading zeros would be lost."
        )
    return format(value, "f") if isinstance(value, Decimal) else str(value)
