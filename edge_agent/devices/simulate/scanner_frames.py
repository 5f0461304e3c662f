"""A read as a scanner with a given profile sends it: the way back of ``scanners.serial_frames``.

Pure. The order on the wire is start, length, prefix, AIM identifier, data, suffix, end.
"""

from __future__ import annotations

from edge_agent.devices.gs1.elements import GROUP_SEPARATOR
from edge_agent.devices.scanners.profile import LengthField, ScannerProfile
from edge_agent.devices.scanners.symbologies import AIM_ID


def framed(profile: ScannerProfile, data: str, symbology: str | None = None) -> bytes:
    """The bytes of one read. ``symbology``: its AIM identifier, as ``]C1``.

    Raises ValueError when the profile has no way to send it.
    """
    frame = profile.frame
    body = _identified(profile, _encoded(profile, data), symbology)
    prefix, suffix = _first(profile.prefix), _first(profile.suffix)
    start, end = _first(frame.start), _first(frame.end)
    if len(body) > frame.max_bytes:
        raise ValueError(f"a read has at most {frame.max_bytes} bytes under this profile")
    if frame.length is not None:
        measured = body + suffix
        return start + prefix + _length(len(measured), frame.length) + measured + end
    delimiters = [one.encode("latin-1") for one in (*frame.start, *frame.end)]
    if any(one in body for one in delimiters if one):
        raise ValueError("the data contains what begins or ends a read under this profile")
    return start + prefix + body + suffix + end


def no_read(profile: ScannerProfile) -> bytes:
    """What it says when it saw no label. Raises ValueError when the profile knows no such text."""
    if not profile.no_read:
        raise ValueError("the profile has no no_read text")
    start, end = _first(profile.frame.start), _first(profile.frame.end)
    return start + profile.no_read[0].encode(profile.encoding[0]) + end


def split_aim(barcode: str) -> tuple[str, str | None]:
    """Data and AIM identifier of a barcode that may begin with one."""
    return (barcode[3:], barcode[:3]) if AIM_ID.match(barcode) else (barcode, None)


def _identified(profile: ScannerProfile, data: bytes, symbology: str | None) -> bytes:
    """The data with the identifier that the profile wants: the maker's own, or AIM's."""
    if profile.code_id != "none" and symbology is not None:
        codes = {aim: code for code, aim in profile.code_ids.items()}
        if symbology not in codes:
            raise ValueError(f"the profile has no code identifier for {symbology}")
        code = codes[symbology].encode("latin-1")
        return code + data if profile.code_id == "prefix" else data + code
    if profile.aim_id == "required" and symbology is None:
        raise ValueError("the profile requires an AIM identifier: begin with one, as ]C1")
    if profile.aim_id == "absent":
        return data
    return (symbology or "").encode("latin-1") + data


def _encoded(profile: ScannerProfile, data: str) -> bytes:
    if profile.group_separators:
        data = data.replace(GROUP_SEPARATOR, profile.group_separators[0])
    for name in profile.encoding:
        try:
            return data.encode(name)
        except UnicodeEncodeError:
            continue
    raise ValueError(f"the data cannot be written in {' or '.join(profile.encoding)}")


def _length(size: int, field: LengthField) -> bytes:
    if field.form in {"big-endian", "little-endian"}:
        order = "big" if field.form == "big-endian" else "little"
        try:
            return size.to_bytes(field.size, order)  # type: ignore[arg-type]
        except OverflowError:
            raise ValueError(f"{size} bytes do not fit the profile's length field") from None
    text = f"{size:0{field.size}{'d' if field.form == 'decimal' else 'X'}}"
    if len(text) > field.size:
        raise ValueError(f"{size} bytes do not fit the profile's length field")
    return text.encode()


def _first(texts: tuple[str, ...]) -> bytes:
    return texts[0].encode("latin-1") if texts else b""
