"""From the bytes of one read, already cut, to its data: prefixes, identifiers, separators. Pure."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from edge_agent.devices.gs1.elements import (
    GROUP_SEPARATOR,
    is_element_string,
    is_gs1_symbol,
)
from edge_agent.devices.scanners.profile import ScannerProfile
from edge_agent.devices.scanners.reads import FrameResult, NoRead, ScannerRead, unreadable
from edge_agent.devices.scanners.symbologies import AIM_ID


def as_bytes(texts: tuple[str, ...]) -> tuple[bytes, ...]:
    """Bytes as a profile writes them, the longest first."""
    return tuple(sorted((text.encode("latin-1") for text in texts), key=len, reverse=True))


@dataclass(frozen=True, slots=True)
class Labels:
    """What a profile says about one read, ready for use."""

    encodings: tuple[str, ...]
    prefixes: tuple[bytes, ...]
    suffixes: tuple[bytes, ...]
    aim_id: str
    code_at: str
    codes: tuple[tuple[bytes, str], ...]
    always: re.Pattern[str] | None
    """Aliases of the group separator that can be nothing else."""
    perhaps: re.Pattern[str] | None
    no_read: frozenset[str]
    replies: tuple[re.Pattern[str], ...]

    @classmethod
    def of(cls, profile: ScannerProfile) -> Labels:
        """Compile ``profile``."""
        codes = {code.encode("latin-1"): aim for code, aim in profile.code_ids.items()}
        aliases = sorted(set(profile.group_separators) - {"", GROUP_SEPARATOR}, key=len)[::-1]
        return cls(
            profile.encoding,
            as_bytes(profile.prefix),
            as_bytes(profile.suffix),
            profile.aim_id,
            profile.code_id,
            tuple(sorted(codes.items(), key=lambda code: -len(code[0]))),
            _any_of([alias for alias in aliases if len(alias) > 1]),
            _any_of([alias for alias in aliases if len(alias) == 1]),
            frozenset(profile.no_read),
            tuple(re.compile(pattern) for pattern in profile.replies),
        )

    def read(self, frame: bytes) -> FrameResult | None:
        """What one frame says; ``None``: nothing (it is empty, or a reply to drop)."""
        body = _without(frame, self.prefixes, self.suffixes)
        text = self._text(body)
        if text is None:
            codecs = " or ".join(self.encodings)
            return unreadable(frame, "not_utf8", f"The read is no text in {codecs}.")
        if text in self.no_read:
            return NoRead(text)
        if not text or any(reply.fullmatch(text) for reply in self.replies):
            return None
        symbology = None
        if self.code_at != "none":
            text, symbology = self._code(text)
        if self.aim_id != "absent":
            if AIM_ID.match(text):
                text, symbology = text[3:], text[:3]
            elif self.aim_id == "required":
                message = "The read has no AIM symbology identifier, which the profile requires."
                return unreadable(frame, "bad_value", message)
            if text in self.no_read:
                return NoRead(text)
        if not text:
            return unreadable(frame, "bad_value", "The read has an identifier and no data.")
        data = self.separated(text, symbology)
        return ScannerRead(data, symbology, key=content_key(data, symbology))

    def separated(self, text: str, symbology: str | None) -> str:
        """``text`` with real group separators."""
        if self.always is not None:
            text = self.always.sub(GROUP_SEPARATOR, text)
        if self.perhaps is not None:
            with_them = self.perhaps.sub(GROUP_SEPARATOR, text)
            if with_them != text and (
                is_gs1_symbol(symbology) or (symbology is None and is_element_string(with_them))
            ):
                return with_them
        return text

    def _text(self, body: bytes) -> str | None:
        for encoding in self.encodings:
            try:
                return body.decode(encoding)
            except UnicodeError:
                continue
        return None

    def _code(self, text: str) -> tuple[str, str | None]:
        for code, aim in self.codes:
            mark = code.decode("latin-1")
            if self.code_at == "prefix" and text.startswith(mark):
                return text[len(mark) :], aim or None
            if self.code_at == "suffix" and text.endswith(mark):
                return text[: -len(mark)], aim or None
        return text, None


def content_key(*content: str | None) -> bytes:
    """A digest of what a read says."""
    digest = hashlib.sha256()
    for part in content:
        digest.update(b"\0" if part is None else b"\1" + part.encode("utf-8", "surrogatepass"))
        digest.update(b"\0")
    return digest.digest()


def _without(frame: bytes, prefixes: tuple[bytes, ...], suffixes: tuple[bytes, ...]) -> bytes:
    for prefix in prefixes:
        if frame.startswith(prefix):
            frame = frame[len(prefix) :]
            break
    for suffix in suffixes:
        if frame.endswith(suffix):
            return frame[: -len(suffix)]
    return frame


def _any_of(texts: list[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(map(re.escape, texts))) if texts else None
