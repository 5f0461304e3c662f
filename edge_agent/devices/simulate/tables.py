"""What to paste into ``agent.toml`` for a simulated device. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping

from edge_agent.devices.profiles.parts import SerialLine
from edge_agent.devices.scales.codec import scale_codec
from edge_agent.devices.scales.encoding import encode
from edge_agent.devices.scales.profile import ScaleProfile
from edge_agent.devices.scanners.topics import TopicFilter


def table(
    name: str, profile: str, place: Mapping[str, str], overrides: Mapping[str, object]
) -> str:
    """``[devices.NAME]`` as TOML. ``overrides``: dotted keys with their values."""
    lines = [f"[devices.{name}]", f"profile = {json.dumps(profile)}"]
    lines += [f"{key} = {json.dumps(value)}" for key, value in place.items()]
    lines += [f"override.{key} = {json.dumps(value)}" for key, value in overrides.items()]
    return "\n".join(lines) + "\n"


def scale_overrides(profile: ScaleProfile, unit: str) -> dict[str, object]:
    """What the site has to say of a scale: its unit, where the frames name none."""
    reading = scale_codec(profile).decode(encode(profile, value="1.5", unit=unit))
    return {} if reading.unit == unit else {"scale.unit": unit}


def pty_overrides(serial: SerialLine | None) -> dict[str, object]:
    """A pseudo-terminal has eight data bits and no parity, and refuses to be told otherwise."""
    usual = SerialLine()
    set_ = {} if serial is None else {"bytesize": serial.bytesize, "parity": serial.parity}
    return {
        f"serial.{key}": getattr(usual, key)
        for key, value in set_.items()
        if value != getattr(usual, key)
    }


def topic_of(filter_: str, device: str) -> str:
    """A topic that a profile's filter takes: ``{device}`` is the device, every other open level is
    anything. Raises ValueError when it is no filter."""
    levels = [
        device if level == "{device}" else "any" if level[:1] in {"{", "+", "#"} else level
        for level in TopicFilter.parse(filter_).levels
    ]
    return "/".join(levels)
