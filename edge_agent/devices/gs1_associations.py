"""Which GS1 identifiers belong together (General Specifications 4.13 and 4.14). Pure.

A symbol that breaks these is still read: it deserves a warning, never a refusal.
"""

from __future__ import annotations

from collections.abc import Sequence

#: Identifiers that stand in place of an ``n`` at the end of the rules below.
_ITEM = ("01", "02", "8006", "8026")
#: What must be there, too: one of the second, by the beginning of the identifier.
_NEEDS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("02",), ("00",)),
    (("02",), ("37",)),
    (("37",), ("02", "8026")),
    (("10", "11", "12", "13", "15", "16", "17"), (*_ITEM, "03")),
    (("20", "22", "30", "240", "241", "242", "243"), _ITEM),
    (("21",), ("01", "03", "8006")),
    (("235",), ("01",)),
    (("250",), ("21",)),
    (("251",), ("01", "8006")),
    (("254",), ("414",)),
    (("310", "311", "312", "313", "314", "315", "316"), ("01", "02")),
    (("320", "321", "322", "323", "324", "325", "326", "327", "328", "329"), ("01", "02")),
    (("330", "331", "332", "333", "334", "335", "336"), ("00", "01")),
    (("340", "341", "342", "343", "344", "345", "346", "347", "348", "349"), ("00", "01")),
    (("337",), ("01",)),
    (("350", "351", "352", "356", "357", "360", "361", "364", "365", "366"), ("01", "02")),
    (("390", "391"), ("8020", "255")),
    (("392", "393", "395"), ("01",)),
    (("394",), ("255",)),
    (("403",), ("00",)),
    (("415",), ("8020",)),
    (("8020",), ("415",)),
    (("422", "423", "424", "425", "426", "427"), _ITEM),
    (("700", "702", "723"), (*_ITEM, "8004")),
    (("8011",), ("8010",)),
    (("8019",), ("8017", "8018")),
    (("8111",), ("255",)),
)
#: What must not stand together.
_EXCLUDES = (
    *(("01", "02"), ("01", "37"), ("01", "03"), ("01", "255"), ("21", "235"), ("03", "02")),
    *(("420", "421"), ("422", "426"), ("390", "391"), ("392", "393"), ("394", "8111")),
)


def association_warnings(elements: Sequence[tuple[str, str]]) -> list[str]:
    """Sentences about what stands alone, together, or twice with two values."""
    warnings: list[str] = []
    values: dict[str, str] = {}
    for ai, value in elements:
        if values.setdefault(ai, value) != value:
            warnings.append(f"({ai}) says both {values[ai]!r} and {value!r}")
    present = sorted(values)
    for ai in present:
        for starts, needed in _NEEDS:
            if ai.startswith(starts) and not any(other.startswith(needed) for other in present):
                wanted = " or ".join(f"({one})" for one in needed)
                warnings.append(f"({ai}) stands without {wanted}")
    for one, other in _EXCLUDES:
        pair = [
            next((ai for ai in present if ai.startswith(start)), None) for start in (one, other)
        ]
        if all(pair):
            warnings.append(f"({pair[0]}) and ({pair[1]}) exclude each other")
    return warnings
