"""The grammar of GS1 symbols: element strings, Digital Links, symbology identifiers. Pure.

Strict, where :mod:`gs1.reading` makes the best of a scan: it says whether a symbol is
right by the GS1 General Specifications (7.8 for the ends of elements) and the GS1 Digital Link
standard, and what is wrong. ``biip`` contributes its table of identifiers; the elements are walked
here, because it raises on some input and reads on in the middle of a value that is too long.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import combinations
from urllib.parse import unquote, unquote_plus

from edge_agent.devices.gs1.checks import check_digit_fits, fault_in

GROUP_SEPARATOR = "\x1d"
#: Characters beyond which nothing was a symbol: a QR Code holds 7,089 digits.
LONGEST = 8_192
#: Between an EAN or UPC symbol and its composite component, where they are one message.
COMPOSITE = "|]e0"
#: AIM symbology identifiers whose data is a GS1 element string (General Specifications 5.1.2).
ELEMENT_SYMBOLS = frozenset({"]C1", "]e0", "]e1", "]e2", "]d2", "]Q3", "]J1"})
#: Those of plain two-dimensional symbols, which may carry a Digital Link.
_LINK_SYMBOLS = frozenset({"]Q0", "]Q1", "]Q2", "]d0", "]d1", "]J0", "]z0"})
#: Of those the ones that GS1 uses, which may say anything else as well.
_PLAIN_SYMBOLS = frozenset({"]Q1", "]d1", "]J0"})
#: EAN, UPC and ITF-14 symbols, and the digits of their data.
_GTIN_LENGTHS = {"]E0": 13, "]E4": 8, "]I1": 14}
#: Patterns that ``biip`` 5.2 has too narrow or too wide.
_CORRECTED = {"30": r"\d{1,8}", "7004": r"\d{1,4}", "8008": r"(\d{8})(\d{2}|\d{4})?"}
#: Its other branch for texts with %: it counts six characters as one, and as every one of them is
#: in the first branch, too, a text that does not fit is tried in more ways than there is time.
_SECOND_BRANCH = "|%[0-9A-Fa-f][0-9A-Fa-f]%[0-9A-Fa-f][0-9A-Fa-f]"
#: Keys of a Digital Link and the qualifiers that may follow each, in order (URI syntax 4.9).
_QUALIFIERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "00": ((),),
    "01": (("22", "10", "21"), ("235",)),
    "253": ((),),
    "255": ((),),
    "401": ((),),
    "402": ((),),
    "414": (("254",), ("7040",)),
    "415": (("8020",),),
    "417": (("7040",),),
    "8003": ((),),
    "8004": (("7040",),),
    "8006": (("22", "10", "21"),),
    "8010": (("8011",),),
    "8013": ((),),
    "8017": (("8019",),),
    "8018": (("8019",),),
}
#: Identifiers that never stand in the query of a link.
_NO_ATTRIBUTES = frozenset(
    {"21", "22", "235", "254", "7040", "7041", "8011", "8014", "8019", "8020", "8200"}
)
#: Words for keys, withdrawn from the standard but still on labels.
_WORDS = {
    "gtin": "01",
    "sscc": "00",
    "gln": "414",
    "party": "417",
    "giai": "8004",
    "grai": "8003",
    "itip": "8006",
    "cpv": "22",
    "lot": "10",
    "ser": "21",
    "tpx": "235",
    "gdti": "253",
    "gsrn": "8018",
    "ginc": "401",
    "gsin": "402",
    "cpid": "8010",
    "cpsn": "8011",
    "glnx": "254",
    "gcn": "255",
    "srin": "8019",
    "gsrnp": "8017",
    "gmn": "8013",
    "refno": "8020",
    "payto": "415",
}
_URI = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*")
_BRACKETED = re.compile(r"(?:\([0-9]{2,4}\)(?:[^(\\]|\\\(|\\(?!\())+)+\Z")
_PAIR = re.compile(r"\(([0-9]{2,4})\)((?:[^(\\]|\\\(|\\(?!\())+)")
_DOMAIN = re.compile(r"[A-Za-z0-9\-.:\[\]]+")
_SCHEME = re.compile(r"(?:https?|HTTPS?)://")


@dataclass(slots=True)
class Symbol:
    """What one symbol says, and the first thing that is wrong with it."""

    elements: list[tuple[str, str]] = field(default_factory=list)
    """Application identifier and value, in the order of the symbol."""
    error: str = ""
    faults: list[str] = field(default_factory=list)
    """All values that fit their form and are wrong: check digits, dates, codes."""


@dataclass(frozen=True, slots=True)
class _Identifier:
    ai: str
    pattern: re.Pattern[str]
    separated: bool
    """A group separator or the end must follow."""


@lru_cache(maxsize=4096)
def _identifier(head: str) -> _Identifier | None:
    """The application identifier that ``head`` (four characters at most) begins with."""
    # Slow to load, and most of what scanners send is no GS1.
    from biip import ParseError
    from biip.gs1_application_identifiers import GS1ApplicationIdentifier

    try:
        found = GS1ApplicationIdentifier.extract(head)
    except ParseError:
        return None
    pattern = _CORRECTED.get(found.ai) or found.pattern.removeprefix(f"^{found.ai}").rstrip("$")
    pattern = pattern.replace(_SECOND_BRANCH, "")
    return _Identifier(found.ai, re.compile(pattern, re.ASCII), found.separator_required)


def read_symbol(text: str) -> Symbol:
    """What a scanner sent: with a symbology identifier, or a bare link or element string."""
    if len(text) > LONGEST:
        return Symbol(error=f"no symbol has {len(text)} characters")
    if not text.startswith("]"):
        if _BRACKETED.match(text):
            return read_bracketed(text)
        return read_link(text) if _SCHEME.match(text) else read_elements(text)
    symbol, data = text[:3], text[3:]
    if symbol in ELEMENT_SYMBOLS:
        found = read_elements(data)
        if data.startswith(GROUP_SEPARATOR) and not found.error:
            found.error = "a separator stands before the first element"
        return found
    if symbol in _GTIN_LENGTHS:
        return _read_gtin(data, _GTIN_LENGTHS[symbol])
    if symbol in _LINK_SYMBOLS and _SCHEME.match(data):
        return read_link(data)
    if symbol in _PLAIN_SYMBOLS:
        return Symbol()
    return Symbol(error=f"{symbol!r} is no symbology identifier of a GS1 symbol")


def read_elements(text: str) -> Symbol:
    """An element string; a separator before it stands for its FNC1."""
    found = Symbol()
    rest = text.removeprefix(GROUP_SEPARATOR)
    if not rest:
        found.error = "there is no data"
    while rest:
        identifier = _identifier(rest[:4])
        if identifier is None:
            found.error = f"{rest[:20]!r} begins with no application identifier"
            break
        ai = identifier.ai
        value, _, _ = rest[len(ai) :].partition(GROUP_SEPARATOR)
        fits = identifier.pattern.fullmatch if identifier.separated else identifier.pattern.match
        match = fits(value)
        if match is None:
            found.error = f"({ai}) cannot be {value[:40]!r}"
            break
        _add(found, ai, match[0])
        rest = rest[len(ai) + match.end() :].removeprefix(GROUP_SEPARATOR)
    return found


def read_bracketed(text: str) -> Symbol:
    """The text under a barcode, ``(01)…(10)…``; a bracket of a value is written ``\\(``."""
    found = Symbol()
    for ai, value in _PAIR.findall(text):
        identifier = _identifier(ai)
        value = value.replace("\\(", "(")
        if identifier is None or identifier.ai != ai:
            found.error = found.error or f"({ai}) is no application identifier"
        elif identifier.pattern.fullmatch(value) is None:
            found.error = found.error or f"({ai}) cannot be {value[:40]!r}"
        else:
            _add(found, ai, value)
    return found


def read_link(uri: str) -> Symbol:
    """A GS1 Digital Link, uncompressed."""
    scheme = _SCHEME.match(uri)
    if scheme is None or not _URI.fullmatch(uri):
        return Symbol(error="it is no web address")
    address, _, _ = uri[scheme.end() :].partition("#")
    address, _, query = address.partition("?")
    domain, slash, path = address.partition("/")
    if not _DOMAIN.fullmatch(domain) or not slash:
        return Symbol(error="the web address has no domain or no path")
    found = Symbol()
    pairs = _key_and_qualifiers(path.split("/"), found)
    if not pairs:
        found.error = "the web address names no GS1 key"
        return found
    sequence = tuple(ai for ai, _ in pairs)
    if not _in_order(sequence):
        found.error = f"({')('.join(sequence)}) is no key with its qualifiers in order"
    in_path = len(pairs)
    for part in query.split("&"):
        key, equals, value = part.partition("=")
        if equals and re.fullmatch("[0-9]+", key):
            pairs.append((key, unquote_plus(value)))
    for number, (ai, value) in enumerate(pairs):
        padded = value.zfill(14) if ai == "01" and len(value) in (8, 12, 13) else value
        if padded != value and not found.error and number < in_path:
            found.error = f"(01) {value} has {len(value)} digits: in a path it has 14"
        if number >= in_path and not found.error:
            found.error = _out_of_place(ai, sequence, pairs[:number])
        identifier = _identifier(ai)
        if identifier is None or identifier.ai != ai:
            found.error = found.error or f"({ai}) is no application identifier"
        elif identifier.pattern.fullmatch(padded) is None:
            found.error = found.error or f"({ai}) cannot be {padded[:40]!r}"
        else:
            _add(found, ai, padded)
    return found


@lru_cache(maxsize=4096)
def is_element_string(text: str) -> bool:
    """Whether ``text``, whose separators may be guesses, is an element string about an item."""
    found = read_elements(text)
    only_digits = found.error.startswith("the check digit")
    return (
        bool(found.elements)
        and (not found.error or only_digits)
        and text.removeprefix(GROUP_SEPARATOR)[:2] in _OPENINGS
    )


#: With these a label of logistics begins; a guess at separators needs one.
_OPENINGS = frozenset({"00", "01", "02"})


def is_gs1_symbol(symbology: str | None) -> bool:
    """Whether the data of that symbology is an element string."""
    return symbology in ELEMENT_SYMBOLS


def begins_with_element(text: str) -> bool:
    """Whether ``text`` begins with an identifier and a value by its pattern; what needs a
    separator after it must go up to the end."""
    identifier = _identifier(text[:4])
    if identifier is None:
        return False
    value = text[len(identifier.ai) :]
    matches = identifier.pattern.fullmatch if identifier.separated else identifier.pattern.match
    return matches(value) is not None


def is_link_key(ai: str) -> bool:
    """Whether a Digital Link may be about ``ai``."""
    return ai in _QUALIFIERS


def _add(found: Symbol, ai: str, value: str) -> None:
    said = next((other for one, other in found.elements if one == ai), value)
    if said != value and not found.error:
        found.error = f"({ai}) says both {said!r} and {value!r}"
    found.elements.append((ai, value))
    if fault := fault_in(ai, value):
        found.faults.append(fault)
        found.error = found.error or fault


def _read_gtin(data: str, length: int) -> Symbol:
    """EAN, UPC or ITF-14, with a composite component as a second message after ``|``."""
    digits, bar, composite = data.partition(COMPOSITE)
    if len(digits) != length:
        return Symbol(error=f"the symbol has {length} digits, not {len(digits)}")
    if not (digits.isascii() and digits.isdigit()):
        return Symbol(error="the symbol has digits only")
    found = read_elements(composite) if bar else Symbol()
    if not check_digit_fits(digits):
        found.error = f"the check digit of {digits} is wrong"
        found.faults.append(found.error)
    return found


def _key_and_qualifiers(levels: list[str], found: Symbol) -> list[tuple[str, str]]:
    """The pairs of the path from its last key on: what precedes is the resolver's own."""
    pairs: list[tuple[str, str]] = []
    while len(levels) >= 2:
        *levels, name, value = levels
        ai = _WORDS.get(name.lower(), name)
        identifier = _identifier(ai)
        if identifier is None or identifier.ai != ai:
            return []
        if ai != name:
            found.error = "its keys are written as words, which the standard has withdrawn"
        pairs.insert(0, (ai, unquote(value)))  # + is a space in a query only
        if ai in _QUALIFIERS:
            return pairs
    return []


def _out_of_place(ai: str, sequence: tuple[str, ...], before: list[tuple[str, str]]) -> str:
    """What is wrong with ``ai`` in the query of a link, or nothing (URI syntax 4.10)."""
    if ai in {one for one, _ in before}:
        return f"({ai}) stands there twice"
    if ai in _NO_ATTRIBUTES:
        return f"({ai}) is no attribute of a link"
    for at in range(1, len(sequence) + 1):
        if _in_order((*sequence[:at], ai, *sequence[at:])):
            return f"({ai}) belongs in the path"
    return ""


@lru_cache(maxsize=256)
def _in_order(sequence: tuple[str, ...]) -> bool:
    key, *given = sequence
    return any(
        tuple(given) in combinations(allowed, len(given)) for allowed in _QUALIFIERS.get(key, ())
    )
