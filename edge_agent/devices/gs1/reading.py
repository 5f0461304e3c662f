"""Reads what a barcode says in the language of GS1, once, at the edge.

``biip`` knows the application identifiers and their formats. It is called element by element and
never trusted not to raise; what it cannot read is skipped with a warning as far as the GS1 General
Specifications let its end be known (predefined lengths, section 7.8; the group separator
otherwise). A barcode that is not clearly GS1 gives ``None``: a location label ``10A-04`` is no lot.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

from biip import ParseError
from biip.gs1_element_strings import GS1ElementString
from biip.gtin import Gtin
from pydantic import ValidationError

from edge_agent.devices.gs1.associations import association_warnings
from edge_agent.devices.gs1.checks import check_digit_fits, fault_in
from edge_agent.devices.gs1.elements import (
    COMPOSITE,
    ELEMENT_SYMBOLS,
    GROUP_SEPARATOR,
    LONGEST,
    begins_with_element,
    is_link_key,
    read_bracketed,
    read_link,
)
from edge_contract.gs1 import Gs1

#: AIM symbology identifiers of EAN and UPC symbols: the data is a GTIN.
_GTIN_SYMBOLS = frozenset({"]E0", "]E4", "]I1"})
#: Characters of elements with a predefined length, identifier included, by its first two digits.
_PREDEFINED = {
    "00": 20,
    "01": 16,
    "02": 16,
    "03": 16,
    "04": 18,
    "20": 4,
    "41": 16,
    **{str(ai): 8 for ai in range(11, 20)},
    **{str(ai): 10 for ai in range(31, 37)},
}
#: Measures by the first three digits of their identifier, most wanted first (UN/ECE Rec 20).
_MEASURES = (
    *(("310", "KGM"), ("320", "LBR"), ("357", "ONZ"), ("330", "KGM"), ("340", "LBR")),
    *(("315", "LTR"), ("316", "MTQ"), ("311", "MTR"), ("314", "MTK")),
)
#: Digits of the item in an EAN or UPC symbol with an add-on, by the digits of both (5.2.6).
_BEFORE_ADD_ON = {14: 12, 17: 12, 15: 13, 18: 13}


def read_gs1(barcode: str, symbology: str | None = None) -> Gs1 | None:
    """What ``barcode`` says, or ``None`` when it is not GS1. Never raises.

    ``symbology``: its AIM identifier, where the barcode does not begin with it.
    """
    if len(barcode) > LONGEST:
        return None
    symbol, text = (barcode[:3], barcode[3:]) if barcode.startswith("]") else ("", barcode)
    if not symbol and symbology is not None and symbology.startswith("]"):
        symbol = symbology
    if symbol in _GTIN_SYMBOLS and COMPOSITE in text:
        return _composite(*text.split(COMPOSITE, 1))
    if symbol in _GTIN_SYMBOLS:
        return _plain_gtin(_upc_a(text) if symbol == "]E0" and len(text) == 8 else text)
    if symbol == "]E3" and len(text) in _BEFORE_ADD_ON:
        return _plain_gtin(text[: _BEFORE_ADD_ON[len(text)]])
    if not symbol and text.startswith("(0"):
        return _bracketed(text)
    if text[:8].lower().startswith(("http://", "https://")):
        return _digital_link(text)
    if symbol not in ELEMENT_SYMBOLS and (symbol or not _looks_like_elements(text)):
        return None
    elements, warnings = _elements(text)
    # Without the symbology identifier only a complete reading counts: else it is some other text.
    if not elements or (warnings and symbol not in ELEMENT_SYMBOLS):
        return None
    return _resolve(elements, warnings)


def _plain_gtin(text: str) -> Gs1 | None:
    if not (text.isascii() and text.isdigit() and len(text) in (8, 12, 13, 14)):
        return None
    try:
        Gtin.parse(text)
    except ParseError:
        return Gs1(gtin=text.zfill(14), warnings=(f"the check digit of {text} is wrong",))
    return Gs1(gtin=text.zfill(14))


def _composite(digits: str, component: str) -> Gs1 | None:
    """An EAN or UPC symbol and the composite component above it, as one message."""
    item = _plain_gtin(digits)
    elements, warnings = _elements(component)
    more = _resolve(elements, warnings, item.gtin) if item is not None and elements else None
    if item is None or more is None:
        return item
    return more.model_copy(update={"gtin": item.gtin, "warnings": item.warnings + more.warnings})


def _upc_a(text: str) -> str:
    """UPC-E as some scanners send it, eight digits, at its full length (5.2.4.1)."""
    if not re.fullmatch("[01][0-9]{7}", text):
        return text
    system, six, check = text[0], text[1:7], text[7]
    last = six[5]
    if last in "012":
        middle = six[:2] + last + "0000" + six[2:5]
    elif last == "3":
        middle = six[:3] + "00000" + six[3:5]
    elif last == "4":
        middle = six[:4] + "00000" + six[4]
    else:
        middle = six[:5] + "0000" + last
    return system + middle + check


def _digital_link(uri: str) -> Gs1 | None:
    link = read_link(uri[:8].lower() + uri[8:])
    elements, warnings = _parsed(link.elements)
    if not elements or not is_link_key(elements[0].ai.ai):
        return None
    if any(one.gtin_error or one.sscc_error for one in elements):
        return None  # some other address that has "/01/" in it
    if link.error and link.error not in link.faults:  # those are found again
        warnings.append(link.error)
    return _resolve(elements, warnings)


def _bracketed(text: str) -> Gs1 | None:
    """The text under a barcode, as some scanners are set to send it; nothing else is GS1."""
    found = read_bracketed(text)
    elements, warnings = _parsed(found.elements)
    if found.error not in ("", *found.faults) or warnings or not elements:
        return None
    return _resolve(elements, warnings)


def _parsed(pairs: list[tuple[str, str]]) -> tuple[list[GS1ElementString], list[str]]:
    elements: list[GS1ElementString] = []
    warnings: list[str] = []
    for ai, value in pairs:
        try:
            elements.append(GS1ElementString.parse(ai + value))
        except (ParseError, ValueError, IndexError, KeyError, ArithmeticError):
            warnings.append(f"cannot read ({ai}) {value}")
    return elements, warnings


def _looks_like_elements(text: str) -> bool:
    """A symbology identifier is missing: is this an element string and nothing else?"""
    text = text.lstrip(GROUP_SEPARATOR)
    if GROUP_SEPARATOR in text:
        return True
    length = {"00": 18, "01": 14, "02": 14}.get(text[:2])
    if length is None or len(text) < 2 + length:
        return False
    key = text[2 : 2 + length]
    return key.isascii() and key.isdigit() and check_digit_fits(key)


def _elements(text: str) -> tuple[list[GS1ElementString], list[str]]:
    """The elements of an element string, and what is odd about it."""
    elements: list[GS1ElementString] = []
    warnings: list[str] = []
    rest = text.lstrip(GROUP_SEPARATOR)
    while rest:
        chunk, _, after = rest.partition(GROUP_SEPARATOR)
        length = _PREDEFINED.get(chunk[:2])
        try:
            if not begins_with_element(chunk):
                raise ParseError(chunk[:40])  # biip could take years over it
            if length is None:
                # extract() would cut a value that is too long and read on in the middle of it
                element = GS1ElementString.parse(chunk)
                rest = after
            else:
                element = _predefined(chunk[:length])
                rest = rest[len(element.ai.ai) + len(element.value) :]
            elements.append(element)
        except (ParseError, ValueError, IndexError, KeyError, ArithmeticError):
            if length is not None and len(chunk) >= length:
                warnings.append(f"cannot read {chunk[:length]!r}")
                rest = rest[length:]
            else:
                warnings.append(f"cannot read {chunk[:40]!r}")
                rest = after
        rest = rest.lstrip(GROUP_SEPARATOR)
    return elements, warnings


@lru_cache(maxsize=2_000)  # a parse takes 0.1 ms; articles and dates stand on many labels
def _predefined(text: str) -> GS1ElementString:
    """An element of predefined length."""
    return GS1ElementString.extract(text)


def _resolve(
    elements: list[GS1ElementString], warnings: list[str], item: str | None = None
) -> Gs1 | None:
    """The fields that ``elements`` say. ``item``: the GTIN of the symbol that they belong to."""
    ais: dict[str, str] = {}
    found: dict[str, GS1ElementString] = {}
    for element in elements:
        ai = element.ai.ai
        if ai in ais and ais[ai] != element.value:
            warnings.append(f"({ai}) says both {ais[ai]!r} and {element.value!r}: neither is used")
            found.pop(ai, None)
            continue
        ais[ai] = element.value
        found[ai] = element
        if fault := fault_in(ai, element.value):
            warnings.append(fault)
    pairs = list(ais.items()) if item is None else [("01", item), *ais.items()]
    warnings += association_warnings(pairs)
    weight, unit = _measure(found)
    try:
        return Gs1(
            gtin=_value(found, "01"),
            content=_value(found, "02"),
            lot=_value(found, "10"),
            serial=_value(found, "21"),
            sscc=_value(found, "00"),
            count=_count(found),
            weight=weight,
            weight_uom=unit,
            expiry=found["17"].date if "17" in found else None,
            best_before=found["15"].date if "15" in found else None,
            ais=ais,
            warnings=tuple(warnings),
        )
    except ValidationError as error:  # what biip reads and the contract does not take
        field = ".".join(str(part) for part in error.errors()[0]["loc"])
        return Gs1(ais=ais, warnings=(*warnings, f"{field} is outside what the contract takes"))


def _value(found: dict[str, GS1ElementString], ai: str) -> str | None:
    return found[ai].value if ai in found else None


def _count(found: dict[str, GS1ElementString]) -> Decimal | None:
    for ai in ("37", "30"):
        if ai in found and found[ai].value.isdigit():
            return Decimal(int(found[ai].value))
    return None


def _measure(found: dict[str, GS1ElementString]) -> tuple[Decimal | None, str | None]:
    for start, unit in _MEASURES:
        for ai, element in found.items():
            if len(ai) == 4 and ai.startswith(start) and element.decimal is not None:
                return element.decimal, unit
    return None, None
