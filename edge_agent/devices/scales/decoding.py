"""One frame of a scale tried by hand: what ``edge-agent decode`` prints."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, get_args

from edge_agent.devices.scales.codec import scale_codec
from edge_agent.devices.scales.profile import ScaleProfile, ScaleProtocol
from edge_agent.devices.scales.reading import failed

#: No frame of a scale is longer, nor a printout; what a port yields is bounded by its framer.
_LONGEST = 1024
#: Names under which a shipped profile of protocol ``regex`` is known as a protocol.
REGEX_PROFILES = ("ohaus", "adam")
#: Every protocol that ``decode_scale`` knows without a profile of the caller's.
SCALE_PROTOCOLS: tuple[str, ...] = (
    *(name for name in get_args(ScaleProtocol) if name != "regex"),
    *REGEX_PROFILES,
)


def decode_scale(
    protocol: str, frame: bytes, command: str | None = None, profile: ScaleProfile | None = None
) -> dict[str, Any]:
    """The reading of one frame as a JSON object, with the keys of ``ScaleReading``.

    ``profile`` brings unit and quirks. Raises ValueError only when the protocol is not known, or
    is ``regex`` without a profile; never for a frame.
    """
    codec = scale_codec(_profile(protocol, profile))
    too_long = len(frame) > _LONGEST
    return asdict(failed(frame, "too_long") if too_long else codec.decode(frame, command))


def _profile(protocol: str, profile: ScaleProfile | None) -> ScaleProfile:
    if protocol in REGEX_PROFILES or protocol == "regex":
        if profile is not None and profile.protocol == "regex":
            return profile
        if protocol == "regex":
            raise ValueError("protocol regex needs a profile that has patterns")
        from edge_agent.devices.profiles.library import ProfileLibrary  # slow to load

        shipped = ProfileLibrary().get(protocol).scale
        if shipped is None:
            raise ValueError(f"the shipped profile {protocol} is no scale's")
        return shipped
    if protocol not in SCALE_PROTOCOLS:
        raise ValueError(f"unknown protocol {protocol!r}; known: {', '.join(SCALE_PROTOCOLS)}")
    if profile is None:
        return ScaleProfile.model_validate({"protocol": protocol})
    changed = {"protocol": protocol, "patterns": ()}
    return profile if profile.protocol == protocol else profile.model_copy(update=changed)
