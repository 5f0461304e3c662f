"""One frame of a printer tried by hand: what ``edge-agent decode`` prints. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from edge_agent.devices.escapes import escaped
from edge_agent.devices.printers import (
    escpos,
    tspl,
    zebra_alert,
    zpl_hi,
    zpl_hqes,
    zpl_hs,
    zpl_sgd,
)
from edge_agent.devices.printers.state import seen

_SAID_MOST = 1000


def decode_printer(protocol: str, frame: bytes, command: str | None = None) -> dict[str, Any]:
    """What ``frame`` means as an answer to ``command``; ``status`` is a state of the printer.

    An empty frame is silence: ``error`` for the reason ``no_response``. What makes no sense is an
    ``error`` for the reason ``bad_answer``. Raises ValueError only for an unknown protocol.
    """
    decoder = _DECODERS.get(protocol)
    if decoder is None:
        raise ValueError(f"unknown protocol {protocol!r}; known: {', '.join(_DECODERS)}")
    said = escaped(frame[:_SAID_MOST])
    if not frame:
        return {"status": "error", "reason": "no_response", "conditions": ["no_answer"], "said": ""}
    try:
        return {**decoder(frame, command), "said": said}
    except ValueError as error:
        return {
            "status": "error",
            "reason": "bad_answer",
            "incomplete": (b"\x02" in frame and b"\x03" not in frame)
            or (protocol == "zpl-sgd" and frame.count(b'"') == 1),
            "detail": str(error),
            "conditions": ["bad_answer"],
            "value": None,
            "said": said,
        }


def _host_status(frame: bytes, _command: str | None) -> dict[str, Any]:
    return _of_host_status(zpl_hs.host_status(frame))


def _of_host_status(status: zpl_hs.HostStatus) -> dict[str, Any]:
    told = seen(status.conditions(), busy=status.busy)
    state: dict[str, Any] = {"status": told.state, "conditions": list(told.conditions)}
    if status.incomplete:
        state = {"status": "error", "reason": "incomplete_answer", "conditions": [*told.conditions]}
    return {**state, "incomplete": status.incomplete, **status.fields()}


def _error_flags(frame: bytes, _command: str | None) -> dict[str, Any]:
    flags = zpl_hqes.error_flags(frame)
    told = seen((*flags.errors, *flags.warnings))
    return {
        "status": told.state,
        "conditions": list(told.conditions),
        "errors": list(flags.errors),
        "warnings": list(flags.warnings),
        "incomplete": flags.incomplete,
    }


def _identification(frame: bytes, _command: str | None) -> dict[str, Any]:
    return {"status": "ok", **asdict(zpl_hi.identification(frame))}


def _variable(frame: bytes, command: str | None) -> dict[str, Any]:
    found = zpl_sgd.variable(frame, command)
    if found.value is None:
        reason = "unknown_variable"
        return {"status": "error", "reason": reason, "variable": found.name, "value": None}
    if found.name == "device.host_status":
        status = zpl_sgd_host_status(found.value)
        return {**status, "variable": found.name, "value": found.value}
    told: dict[str, Any] = {"status": "ok", "variable": found.name, "value": found.value}
    if found.name == "alerts.configured":
        told["alerts"] = zpl_sgd.configured_alerts(found.value)
    elif found.number is not None and _counts(found.name):
        told["value"] = found.number
    return told


def zpl_sgd_host_status(value: str) -> dict[str, Any]:
    """``device.host_status``: the fields of ``~HS``."""
    return _of_host_status(zpl_hs.quoted_status(value))


def _counts(name: str | None) -> bool:
    """A serial number of digits is no number: its zeros count."""
    return name is None or not any(word in name for word in ("serial", "unique", "address", "name"))


def _alert(frame: bytes, _command: str | None) -> dict[str, Any]:
    found = zebra_alert.alert(frame)
    told: dict[str, Any] = {**asdict(found), "raw_kept": True}
    condition = zebra_alert.CONDITIONS.get(found.condition or "")
    if condition is None or found.state == "cleared":
        return {"status": "ok", "conditions": [], **told}
    return {"status": seen((condition,)).state, "conditions": [condition], **told}


def _escpos(frame: bytes, command: str | None) -> dict[str, Any]:
    fields = escpos.status_fields(frame, command)
    told = seen(escpos.conditions(fields))
    return {"status": told.state, "conditions": list(told.conditions), **fields}


def _tspl(frame: bytes, command: str | None) -> dict[str, Any]:
    fields = tspl.answer_fields(frame, command)
    conditions, busy = tspl.conditions(fields)
    told = seen(conditions, busy=busy)
    return {"status": told.state, "conditions": list(told.conditions), **fields}


_DECODERS: Mapping[str, Callable[[bytes, str | None], dict[str, Any]]] = {
    "zpl-hs": _host_status,
    "zpl-hqes": _error_flags,
    "zpl-hi": _identification,
    "zpl-sgd": _variable,
    "zebra-alert": _alert,
    "escpos": _escpos,
    "tspl": _tspl,
}
PRINTER_PROTOCOLS = tuple(_DECODERS)
