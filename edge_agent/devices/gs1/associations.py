"""Which GS1 identifiers belong together (General Specifications 4.13 and 4.14). Pure.

A symbol that breaks these is still read: it deserves a warning, never a refusal. Source: the GS1
Barcode Syntax Dictionary. An entry stands for every identifier that begins with it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import lru_cache

_ITEM = ("01", "02", "8006", "8026")
_TRADE = ("01", "02")
_LOGISTIC = ("00", "01")
_MEASURE = ("30", "31", "32", "35", "36")


def _family(first: int, last: int) -> tuple[str, ...]:
    return tuple(str(number) for number in range(first, last + 1))


#: Identifiers, and what must be there, too: one of the second.
_NEEDS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("02", "8026"), ("37",)),
    (("37", "403", "43"), ("00",)),
    (("37",), ("02", "8026")),
    (("10", "11", "13", "15", "16", "20", "240", "241", "242", "422", "7001"), _ITEM),
    (("17",), (*_ITEM, "255")),
    (("12", "391", "415"), ("8020",)),
    (("21",), ("01", "03", "8006")),
    (("22", "235", "243", "337", "392", "71", "7004", "8001", "8200"), ("01",)),
    (("250", "251", "7020", "7021", "7240", "8012"), ("01", "8006")),
    (("250",), ("21",)),
    (("254",), ("414",)),
    (("30", *_family(310, 316), *_family(320, 329)), _TRADE),
    (("350", "351", "352", "356", "357", "360", "361", "364", "365", "366"), _TRADE),
    ((*_family(330, 336), *_family(340, 349), "353", "354", "355"), _LOGISTIC),
    (("362", "363", "367", "368", "369", "8009"), _LOGISTIC),
    (("390",), ("255", "8020")),
    (("392", "393", "395"), _MEASURE),
    (("394", "8111"), ("255",)),
    (("423", "424", "425", "426", "427", "7002", "7003", "8005", "8008"), _TRADE),
    ((*_family(7005, 7011), "703"), _TRADE),
    (("427",), ("422",)),
    (("4303",), ("4302",)),
    (("4313",), ("4312",)),
    (("7004",), ("10",)),
    (("7020",), ("416",)),
    (("7022",), ("7021",)),
    (("723",), ("01", "8004")),
    (("7241", "7242", "8019"), ("8017", "8018")),
    (("8007", "8020"), ("415",)),
    (("8011",), ("8010",)),
)
#: What must not stand together.
_EXCLUDES = (
    *(("01", "02"), ("01", "255"), ("01", "37"), ("01", "8006"), ("02", "8026"), ("21", "235")),
    *(("255", "02"), ("255", "415"), ("255", "8006"), ("255", "8020"), ("255", "8026")),
    *(("390", "391"), ("390", "394"), ("390", "8111"), ("392", "393"), ("394", "8111")),
    *(("395", "392"), ("395", "393"), ("395", "8005"), ("420", "421"), ("421", "4307")),
    *(("422", "426"), ("423", "426"), ("424", "426"), ("425", "426"), ("4330", "4331")),
    *(("4332", "4333"), ("8006", "37"), ("8006", "8026"), ("8017", "8018")),
)


def association_warnings(elements: Sequence[tuple[str, str]]) -> list[str]:
    """Sentences about what stands alone, together, or twice with two values."""
    warnings: list[str] = []
    values: dict[str, str] = {}
    for ai, value in elements:
        if values.setdefault(ai, value) != value:
            warnings.append(f"({ai}) says both {values[ai]!r} and {value!r}")
    return [*warnings, *_together(tuple(sorted(values)))]


@lru_cache(maxsize=1024)  # the labels of a warehouse are of few kinds
def _together(present: tuple[str, ...]) -> tuple[str, ...]:
    warnings: list[str] = []
    for ai in present:
        for some, needed in _NEEDS:
            if ai.startswith(some) and not any(other.startswith(needed) for other in present):
                wanted = " or ".join(f"({one})" for one in needed)
                warnings.append(f"({ai}) stands without {wanted}")
    for one, other in _EXCLUDES:
        first = next((ai for ai in present if ai.startswith(one)), None)
        second = next((ai for ai in present if ai.startswith(other)), None)
        if first and second:
            warnings.append(f"({first}) and ({second}) exclude each other")
    # The last digit of a measure or an amount places the decimal point: there is one of each.
    measures = [ai for ai in present if len(ai) == 4 and ai.startswith("3")]
    for first, second in itertools.pairwise(measures):
        if first[:3] == second[:3]:
            warnings.append(f"({first}) and ({second}) exclude each other")
    return tuple(warnings)
