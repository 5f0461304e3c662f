"""``edge-agent decode`` for GS1: one JSON object a symbol. Pure; never raises.

By itself, because what decodes scanners takes longer to load than a symbol to be read.
"""

from __future__ import annotations

from typing import Any

from edge_agent.devices.gs1.associations import association_warnings
from edge_agent.devices.gs1.elements import read_symbol


def decode_gs1(frame: bytes) -> dict[str, Any]:
    """``{"ok", "ais": [[ai, value], …], "error", "warnings"}``.

    ``ok`` is whether the symbol keeps the grammar: check digits, dates, codes and lengths count,
    as in the GS1 syntax engine; which identifiers belong together is a warning. What is wrong with
    a value that could be read is a warning, too, as it is on an event. ``ais`` has what could be
    read up to the error.
    """
    text = frame.decode("latin-1")
    symbol = read_symbol(text)
    return {
        "ok": not symbol.error,
        "ais": [list(element) for element in symbol.elements],
        "error": symbol.error or None,
        "warnings": [*symbol.faults, *association_warnings(symbol.elements)],
    }
