"""Bytes as people write and read them: ``"I4\\r\\n"`` in a profile, ``\\x02 2.345\\r`` on a screen.

Pure. Both directions use the escapes of TOML, C and Python: ``\\r \\n \\t \\0 \\e \\\\ \\xHH``.
"""

from __future__ import annotations

import re

_NAMED = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "e": b"\x1b", "\\": b"\\"}
_SHOWN = {0x0D: "\\r", 0x0A: "\\n", 0x09: "\\t", 0x5C: "\\\\"}
_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{2}|.|$)", re.DOTALL)


def unescaped(text: str) -> bytes:
    """The bytes that ``text`` stands for. Raises ValueError naming an escape that is none.

    Characters that a TOML string has unescaped already (a real carriage return) stay as they are.
    """
    parts: list[bytes] = []
    end = 0
    for match in _ESCAPE.finditer(text):
        parts.append(text[end : match.start()].encode())
        escape = match[1]
        if escape in _NAMED:
            parts.append(_NAMED[escape])
        elif len(escape) == 3:
            parts.append(bytes.fromhex(escape[1:]))
        else:
            raise ValueError(
                f"\\{escape} is no escape; known are \\r \\n \\t \\0 \\e \\\\ and \\xHH"
            )
        end = match.end()
    parts.append(text[end:].encode())
    return b"".join(parts)


def escaped(data: bytes) -> str:
    """``data`` on one line, printable ASCII as itself: what :func:`unescaped` takes back."""
    return "".join(
        _SHOWN.get(byte) or (chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}")
        for byte in data
    )
