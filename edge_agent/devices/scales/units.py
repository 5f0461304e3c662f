"""Units as scales spell them. Pure.

The codes are those of UN/ECE Recommendation 20. A spelling that is not here is an error and never
guessed at: 12 of something unknown is not a weight. A few units of trade (tael, tola, momme) are
known and have no code; such a weight is shown and cannot become an event.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit: the name we show, and its UN/ECE code if there is one."""

    name: str
    unece: str | None


#: Name, UN/ECE code, other spellings; all compared in lower case.
_TABLE: tuple[tuple[str, str | None, tuple[str, ...]], ...] = (
    ("g", "GRM", ("gram", "grams")),
    ("kg", "KGM", ("kgs", "kilo")),
    ("mg", "MGM", ()),
    ("µg", "MC", ("μg", "ug", "mcg")),
    ("t", "TNE", ("tonne",)),
    ("lb", "LBR", ("lbs", "pound", "pounds")),
    ("oz", "ONZ", ("ozs", "ounce", "ounces")),
    ("ozt", "APZ", ("oz t", "t oz", "toz", "t.oz", "ozt.")),
    ("ct", "CTM", ("car", "carat", "cts")),
    ("gn", "GRN", ("grain", "grains")),
    ("dwt", "DWT", ()),
    ("short ton", "STN", ("stn",)),  # ton and tn mean a tonne elsewhere
    ("st", "STI", ("stone",)),
    ("N", "NEW", ("newton",)),
    ("kN", "B47", ()),
    ("pcs", "H87", ("pc", "pce", "pcs.", "piece", "pieces")),
    ("%", "P1", ("pct",)),
    ("mom", None, ("momme", "mm'")),
    ("tl", None, ("tael", "tls", "tlh", "tlt", "tlc", "tlj")),
    ("tola", None, ("tol",)),
    ("baht", None, ("bat", "tical", "tcl")),
    ("msg", None, ("ms", "mes", "meshgal")),
)

_KNOWN: dict[str, Unit] = {
    spelling.lower(): Unit(name, code)
    for name, code, others in _TABLE
    for spelling in (name, *others)
}

#: Spellings (lower case) of the units that have a UN/ECE code.
UNITS: dict[str, str] = {
    spelling: unit.unece for spelling, unit in _KNOWN.items() if unit.unece is not None
}


def unit_of(spelling: str, own: Mapping[str, str] | None = None) -> Unit | None:
    """The unit of that spelling. ``own``: a site's spellings with their code, which win."""
    bare = " ".join(spelling.split())
    for text, code in (own or {}).items():
        if text.lower() == bare.lower():
            return Unit(bare, code)
    return _KNOWN.get(bare.lower())
