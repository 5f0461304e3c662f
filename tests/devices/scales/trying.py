"""Short ways to try a frame; no tests."""

from __future__ import annotations

from edge_agent.devices.profiles.library import ProfileLibrary
from edge_agent.devices.scales.codec import scale_codec
from edge_agent.devices.scales.profile import ScaleProfile
from edge_agent.devices.scales.reading import ScaleReading


def shipped(name: str, **changes: object) -> ScaleProfile:
    """The scale part of a shipped profile, with some of it set otherwise."""
    scale = ProfileLibrary().get(name).scale
    assert scale is not None
    return ScaleProfile.model_validate(scale.model_dump(exclude_unset=True) | changes)


def said(
    protocol: str, frame: bytes, command: str | None = None, **settings: object
) -> ScaleReading:
    """What a frame says to a codec that knows only the protocol."""
    given = ScaleProfile.model_validate({"protocol": protocol, **settings})
    return scale_codec(given).decode(frame, command)


def weight(reading: ScaleReading) -> tuple[str | None, str | None, bool | None, str | None]:
    """Value, unit code, stable and mode of what must be a weight."""
    assert reading.status == "ok", reading
    return reading.value, reading.unece, reading.stable, reading.mode


def fault(reading: ScaleReading) -> tuple[str, str]:
    """Status and detail of what must not be a weight."""
    assert reading.status != "ok", reading
    assert (reading.value, reading.unit, reading.unece) == (None, None, None), reading
    assert reading.stable is False, reading
    return reading.status, reading.detail
