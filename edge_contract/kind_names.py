"""What kinds of events are called. By themselves, for those who need no more than the names: the
kinds' models take longer to load than most frames of a device to be decoded."""

from __future__ import annotations

from typing import Literal

Kind = Literal[
    "transfer.line",
    "transfer.done",
    "event.reversed",
    "stock.moved",
    "count.recorded",
    "scrap.recorded",
    "package.packed",
    "label.printed",
    "scan.read",
    "weight.measured",
    "printer.state",
    "device.state",
]

#: Raw readings: kept for trace, no effect in Odoo, and given an id when they have none.
RAW_KINDS = frozenset({"scan.read", "weight.measured", "printer.state", "device.state"})
