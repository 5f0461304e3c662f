"""Names of symbologies: AIM identifiers (ISO/IEC 15424), and what devices call them."""

from __future__ import annotations

import re
from collections.abc import Mapping

#: Code characters of ISO/IEC 15424; ``]`` before another letter is data.
_CODES = "ABCDEFGHIJKLMNOPQRSTUVXYZcdehijmoz"
AIM_ID = re.compile(rf"\][{_CODES}][0-9A-Za-z]")

#: By whole identifier first, then by code character.
_NAMES = {
    "]C1": "GS1-128",
    "]d2": "GS1 DataMatrix",
    "]Q3": "GS1 QR Code",
    "]J1": "GS1 DotCode",
    "]e0": "GS1 DataBar",
    "]E0": "EAN-13",
    "]E4": "EAN-8",
    "]I1": "ITF-14",
    "]A": "Code 39",
    "]B": "Telepen",
    "]C": "Code 128",
    "]D": "Code One",
    "]E": "EAN/UPC",
    "]F": "Codabar",
    "]G": "Code 93",
    "]H": "Code 11",
    "]I": "Interleaved 2 of 5",
    "]J": "DotCode",
    "]K": "Code 16K",
    "]L": "PDF417",
    "]M": "MSI",
    "]N": "Anker",
    "]O": "Codablock",
    "]P": "Plessey",
    "]Q": "QR Code",
    "]R": "2 of 5",
    "]S": "2 of 5",
    "]T": "Code 49",
    "]U": "MaxiCode",
    "]d": "Data Matrix",
    "]e": "GS1 Composite",
    "]h": "Han Xin",
    "]z": "Aztec",
}
#: What devices call symbologies, letters and digits only. Only those that say whether the data is
#: GS1 have an identifier: "QR Code" is often said of a GS1 QR Code, too.
_SAID = {
    **dict.fromkeys(("EAN128", "GS1128", "UCCEAN128", "UCC128", "GS1CODE128"), "]C1"),
    **dict.fromkeys(("GS1DATAMATRIX", "GS1DM", "GS1ECC200"), "]d2"),
    **dict.fromkeys(("GS1QR", "GS1QRCODE"), "]Q3"),
    "GS1DOTCODE": "]J1",
    **dict.fromkeys(("EAN13", "UPCA", "UPCE", "UPCE0", "JAN13", "GTIN13", "GTIN12"), "]E0"),
    **dict.fromkeys(("EAN8", "JAN8", "GTIN8"), "]E4"),
    **dict.fromkeys(("ITF14", "GTIN14"), "]I1"),
    **dict.fromkeys(
        (
            "GS1DATABAR",
            "GS1DATABAREXP",
            "GS1DATABAREXPANDED",
            "GS1DATABARLIM",
            "GS1DATABARLIMITED",
            "GS1DATABAR14",
            "GS1DATABAROMNI",
            "RSS14",
            "RSSEXP",
            "RSSEXPANDED",
            "RSSLIMITED",
            "DATABAR",
            "DATABAREXPANDED",
            "DATABARLIMITED",
        ),
        "]e0",
    ),
}
_PLAIN = re.compile(r"[^A-Z0-9]")


def name_of(aim_id: str) -> str | None:
    """The symbology that an AIM identifier names, or ``None``."""
    return _NAMES.get(aim_id) or _NAMES.get(aim_id[:2])


def aim_of(said: str, own: Mapping[str, str]) -> str | None:
    """The AIM identifier of what a device calls a symbology; ``own`` (the profile's) wins."""
    if said in own:
        return own[said] or None
    if AIM_ID.fullmatch(said):
        return said
    plain = _PLAIN.sub("", said.upper()).removeprefix("LABELTYPE").removeprefix("DECODER")
    return _SAID.get(plain)
