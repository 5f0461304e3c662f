"""One frame in, what it means out: the protocols of ``edge-agent decode`` in a plain table.

For support, for trying a profile, and for running foreign test vectors through the very code that
the links use. Decoders and profiles are loaded when they are needed: most frames need no profile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from edge_agent.places import DEFAULT_PATH
from edge_contract.errors import Rejected

if TYPE_CHECKING:
    from edge_agent.devices.profiles.schema import Profile

Kind = Literal["scale", "printer", "scanner", "gs1"]

#: Every protocol with what speaks it.
PROTOCOLS: Mapping[str, Kind] = {
    "mt-sics": "scale",
    "toledo-8217": "scale",
    "toledo-continuous": "scale",
    "nci-scp01": "scale",
    "sma": "scale",
    "and-standard": "scale",
    "sartorius-sbi": "scale",
    "ohaus": "scale",
    "adam": "scale",
    "regex": "scale",
    "zpl-hs": "printer",
    "zpl-hi": "printer",
    "zpl-hqes": "printer",
    "zpl-sgd": "printer",
    "zebra-alert": "printer",
    "escpos": "printer",
    "tspl": "printer",
    "gs1": "gs1",
    "scanner": "scanner",
}

#: Protocols that are a profile of that name and no code.
_BY_PROFILE = frozenset({"ohaus", "adam"})


def decode(
    protocol: str,
    frame: bytes,
    command: str | None = None,
    profile: str | None = None,
    config: Path | None = None,
) -> dict[str, Any]:
    """What ``frame`` means, said in ``protocol`` as an answer to ``command``.

    ``profile`` is one that comes with the agent, or one of the folder ``profiles`` beside the file
    ``config``. A frame that makes no sense has the status ``error``. Raises ``Rejected``
    (``misuse``) for an unknown protocol or a profile that does not fit, ``ConfigurationError`` for
    a profile that is missing or wrong.
    """
    kind = PROTOCOLS.get(protocol)
    if kind is None:
        raise Rejected("misuse", _unknown(protocol, PROTOCOLS))
    if profile is None and protocol in _BY_PROFILE:
        profile = protocol
    if profile is None and kind == "scanner":
        profile = "generic-json" if frame.lstrip()[:1] in (b"{", b"[") else "serial-scanner"
    if profile is None and protocol == "regex":
        raise Rejected(
            "misuse", "The protocol regex is what a profile makes of it: name --profile."
        )
    known = None if profile is None else _profile(protocol, kind, profile, config)
    if kind == "scale":
        from edge_agent.devices.scales.decoding import decode_scale

        return decode_scale(protocol, frame, command, None if known is None else known.scale)
    if kind == "printer":
        from edge_agent.devices.printers.decoding import decode_printer

        return decode_printer(protocol, frame, command)
    if known is not None and known.scanner is not None:
        from edge_agent.devices.scanners.decoding import decode_scanner

        reads = decode_scanner(frame, known.scanner)
        return {"status": "error" if reads["errors"] else "ok", **reads}
    from edge_agent.devices.gs1.decoding import decode_gs1

    symbol = decode_gs1(frame)
    return {"status": "ok" if symbol["ok"] else "error", **symbol}


def _profile(protocol: str, kind: Kind, name: str, config: Path | None) -> Profile:
    from edge_agent.devices.profiles.library import ProfileLibrary, site_folder

    if kind == "gs1":
        raise Rejected("misuse", f"gs1 is the same everywhere: leave out --profile {name}.")
    profile = ProfileLibrary(site_folder(config or DEFAULT_PATH)).get(name)
    if profile.device_class != kind:
        raise Rejected(
            "misuse",
            f"The profile {name} is of a {profile.device_class}, and {protocol} is spoken by a "
            f"{kind}: name another profile, or none.",
        )
    if profile.scale is not None:
        spoken = profile.scale.protocol
        if spoken != ("regex" if protocol in _BY_PROFILE else protocol):
            raise Rejected(
                "misuse",
                f"The profile {name} speaks {spoken}, not {protocol}: use --protocol {spoken}, or "
                "another profile.",
            )
    return profile


def _unknown(protocol: str, known: Iterable[str]) -> str:
    import difflib  # slow to load, and needed for mistakes only

    alike = difflib.get_close_matches(protocol.lower(), list(known), n=2, cutoff=0.5)
    meant = f"; did you mean {' or '.join(alike)}?" if alike else "."
    return f"There is no protocol {protocol!r}{meant} Known are {', '.join(known)}."
