"""Says in an operator's words what is wrong with a payload. Pure."""

from __future__ import annotations

import json
from uuid import UUID

from pydantic import ValidationError

from edge_contract.kinds import KINDS

#: Every code a payload can be quarantined with, and what it means, for the documentation.
COMPLAINTS: dict[str, str] = {
    "too_large": "The payload is larger than an event may be; its head is kept.",
    "empty": "The payload is empty.",
    "not_utf8": "The payload is not UTF-8 text.",
    "malformed_json": "The payload is not JSON.",
    "too_deep": "The JSON is nested deeper than any event.",
    "not_an_object": "The JSON is not an object.",
    "unknown_kind": "There is no such kind of event.",
    "unknown_field": "A field is not known; a misspelt one must not be ignored.",
    "missing_field": "A field is missing.",
    "missing_id": "The event has an effect in Odoo and no id.",
    "bad_quantity": "A quantity or weight is no decimal string, negative or too large.",
    "bad_time": "A time is no RFC 3339 time with a zone.",
    "bad_value": "A field has the wrong type or a value that is not allowed.",
    "implausible_time": "The time makes no sense, even after correcting the device's clock.",
    "bad_device": "The device's name in the topic is not allowed.",
    "unclaimed_topic": "It came on a topic that no section of `[devices]` takes.",
    "bad_status": "The status of the device cannot be read.",
    "agent_fault": "The agent failed while it read the payload: a defect to report.",
}

_AMOUNTS = frozenset({"quantity", "weight", "tare"})
_SHOWN = 60


def complaint(error: ValidationError, payload: bytes) -> tuple[str, str]:
    """Code and sentence for a payload that pydantic refused."""
    found = error.errors(include_url=False)
    first = found[0]
    kind, where, message = first["type"], _where(first["loc"]), first["msg"]
    more = f" ({len(found) - 1} more fault{'s' if len(found) > 2 else ''})" if found[1:] else ""
    if kind == "json_invalid":
        return _not_json(message, payload)
    if kind == "model_type" and not where:
        return "not_an_object", "The payload is JSON, but not an object in braces."
    if kind == "literal_error" and where == "kind":
        return "unknown_kind", (
            f"There is no kind of event {_show(first['input'])}; "
            f"version 1 knows {', '.join(KINDS)}."
        )
    if kind == "missing":
        return "missing_field", f"The field {where} is missing{more}."
    if kind == "extra_forbidden":
        return "unknown_field", f"The field {where} is not known: check its spelling{more}."
    message = message.removeprefix("Value error, ").removeprefix("Input ")
    if not where and "needs an id" in message:
        return "missing_id", f"{message}."
    last = where.rpartition(".")[2]
    code = "bad_time" if last == "time" else "bad_quantity" if last in _AMOUNTS else "bad_value"
    said = f" (it says {_show(first['input'])})" if where else ""
    return code, f"{where or 'The event'}: {message}{said}{more}."


def _not_json(message: str, payload: bytes) -> tuple[str, str]:
    if not payload.strip():
        return "empty", "The payload is empty."
    try:
        payload.decode()
    except UnicodeDecodeError as wrong:
        return "not_utf8", f"The payload is not UTF-8 text: byte {wrong.start} is wrong."
    detail = message.removeprefix("Invalid JSON: ")
    if "recursion" in detail:
        return "too_deep", "The JSON is nested deeper than any event."
    return "malformed_json", f"The payload is not JSON: {detail}."


def _where(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location)


def _show(value: object) -> str:
    try:
        text = value if isinstance(value, str) else json.dumps(value, default=str)
    except (ValueError, RecursionError):
        text = type(value).__name__
    return repr(text[:_SHOWN] + ("…" if len(text) > _SHOWN else ""))


def claimed_id(payload: bytes) -> UUID | None:
    """The id of a payload that is otherwise wrong, so that its device hears about it."""
    try:
        value = json.loads(payload)
        return UUID(value["id"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
