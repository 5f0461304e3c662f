"""What GS1 asks of a value beyond its pattern: check digits, dates, pieces. Pure.

Sources: GS1 General Specifications 7.9 (check digits) and 3 (the identifiers).
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable

from edge_agent.devices.gs1.codes import COUNTRIES, COUNTRY_LETTERS, CURRENCIES

#: Digits at the beginning of a value that end in a check digit.
_CHECKED = {
    "00": 18,
    "01": 14,
    "02": 14,
    "03": 14,
    "253": 13,
    "255": 13,
    "402": 17,
    **{str(ai): 13 for ai in range(410, 418)},
    "8003": 14,
    "8006": 14,
    "8026": 14,
    "8017": 18,
    "8018": 18,
}
#: Dates YYMMDD: whether the day may be 00 (the whole month).
_DATES = {
    "11": True,
    "12": True,
    "13": True,
    "15": True,
    "16": True,
    "17": True,
    "4324": True,
    "4325": True,
    "4326": False,
    "7003": False,
    "7006": False,
    "7007": False,
    "7011": False,
    "8008": False,
}
#: Identifiers whose keys begin with a GS1 company prefix of at least four digits.
_PREFIXED = frozenset({"401", "7023", "8004", "8010", "8013", "8014"})
#: Identifiers whose values end in a pair of check characters.
_PAIRED = frozenset({"8013", "8014"})
#: Texts in which % begins a character in two hexadecimal digits.
_PERCENT = frozenset(
    {
        *(str(ai) for ai in (*range(4300, 4307), *range(4310, 4317), 4320)),
        *("7253", "7254", "7256", "7257", "7259"),
    }
)
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
#: The characters of values, in the order in which they count, and those of a check pair.
_CHARACTERS = "!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
_CHECK_CHARACTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83)


def check_digit_fits(digits: str) -> bool:
    """The GS1 check digit: weights 3 and 1 from the right, General Specifications 7.9."""
    total = sum(int(d) * (1 if i % 2 == 0 else 3) for i, d in enumerate(reversed(digits)))
    return total % 10 == 0


def check_pair_fits(text: str) -> bool:
    """The pair of check characters of a model number: primes from the right, modulo 1021."""
    body, pair = text[:-2], text[-2:]
    if not body or len(body) > len(_PRIMES):
        return False
    weights = zip(reversed(body), _PRIMES, strict=False)
    total = sum(_CHARACTERS.index(character) * prime for character, prime in weights) % 1021
    return pair == _CHECK_CHARACTERS[total >> 5] + _CHECK_CHARACTERS[total & 31]


def fault_in(ai: str, value: str) -> str | None:
    """What is wrong with a value that fits the pattern of its identifier, or ``None``."""
    checked = _CHECKED.get(ai)
    if checked and not check_digit_fits(value[:checked]):
        return f"the check digit of ({ai}) {value} is wrong"
    if ai in _DATES and not _dates_fit(ai, value):
        return f"({ai}) {value} is no date"
    if ai in {"7250", "7251"} and not _is_day(int(value[:4]), value[4:8]):
        return f"({ai}) {value} is no date"
    if ai in _PERCENT and _BAD_PERCENT.search(value):
        return f"({ai}) {value} has a % that stands for no character"
    if ai in {"8006", "8026"} and not 0 < int(value[14:16]) <= int(value[16:18]):
        return f"({ai}) {value} names no piece of its total"
    if ai in _PREFIXED and not (len(value) >= 4 and value[:4].isdigit()):
        return f"({ai}) {value} begins with no company prefix"
    if ai in _PAIRED and not check_pair_fits(value):
        return f"the check pair of ({ai}) {value} is wrong"
    shape = _SHAPES.get(ai) or _FAMILIES.get(ai[:3])
    if shape is not None and not shape(value):
        return f"({ai}) {value} is out of range"
    return None


def _is_iban(value: str) -> bool:
    """ISO 13616: letters count from 10, and the remainder by 97 is 1."""
    moved = value[4:] + value[:4]
    if not (moved.isalnum() and moved.isupper()):
        return False
    return int("".join(str(int(character, 36)) for character in moved)) % 97 == 1


def _in_countries(value: str) -> bool:
    return all(value[at : at + 3] in COUNTRIES for at in range(0, len(value), 3))


_SHAPES: dict[str, Callable[[str], bool]] = {
    **dict.fromkeys(("422", "423", "424", "425", "426"), _in_countries),
    "421": lambda v: v[:3] in COUNTRIES,
    **dict.fromkeys(("4307", "4317"), lambda v: v in COUNTRY_LETTERS),
    "4309": lambda v: int(v[:10]) <= 1_800_000_000 and int(v[10:]) <= 3_600_000_000,
    "7040": lambda v: v[3].isalnum() or v[3] in "-_",
    "7241": lambda v: 1 <= int(v) <= 10 or int(v) >= 80,
    "7252": lambda v: v in "0129",
    "7258": lambda v: 0 < int(v[0]) <= int(v[2]),
    "8001": lambda v: all(map(int, (v[:4], v[4:9], v[9:12]))) and v[12] in "019",
    "8007": _is_iban,
    "8011": lambda v: v == "0" or v[0] != "0",
    "8014": lambda v: not v.isdigit(),
    **dict.fromkeys(("8110", "8112"), str.isdigit),
}
#: By the first three digits of the identifier.
_FAMILIES: dict[str, Callable[[str], bool]] = {
    **dict.fromkeys(("391", "393"), lambda v: v[:3] in CURRENCIES),
    "703": lambda v: v[:3] in COUNTRIES or v[:3] == "999",
}


def _dates_fit(ai: str, value: str) -> bool:
    first, rest = value[:6], value[6:]
    if not _day_fits(first, whole_month=_DATES[ai]):
        return False
    if ai == "7007":
        return not rest or _day_fits(rest, whole_month=False)
    if ai in {"4324", "4325"} and rest == "9999":
        return True
    hours_etc = [int(rest[at : at + 2]) for at in range(0, len(rest), 2)]
    return all(part < limit for part, limit in zip(hours_etc, (24, 60, 60), strict=False))


def _day_fits(text: str, *, whole_month: bool) -> bool:
    # Which century a year is of makes no difference: 2000 was a leap year, and no other is near.
    return _is_day(2000 + int(text[:2]), text[2:6], whole_month=whole_month)


def _is_day(year: int, text: str, *, whole_month: bool = False) -> bool:
    month, day = int(text[:2]), int(text[2:4])
    if not (year and 1 <= month <= 12):
        return False
    return (day == 0 and whole_month) or 1 <= day <= calendar.monthrange(year, month)[1]
