"""MQTT filters whose levels may capture: ``zebra/{device}/tags``, ``fx/+/{device}/#``. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_CAPTURE = re.compile(r"\{([a-z][a-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class TopicFilter:
    """A filter by levels; a level that captures takes exactly one level of the topic."""

    levels: tuple[str, ...]
    """``+``, ``#`` (last only), ``{name}``, or the level itself."""

    @classmethod
    def parse(cls, text: str) -> TopicFilter:
        """Raises ValueError with a sentence when ``text`` is no filter."""
        levels = tuple(text.split("/"))
        names: set[str] = set()
        if not text or len(text.encode("utf-8", "replace")) > 65535:
            raise ValueError("a topic filter has 1 to 65535 bytes")
        if any(ord(character) < 0x20 or character == "\x7f" for character in text):
            raise ValueError(f"{text!r} has a control character")
        if text.startswith("$share/"):
            raise ValueError(
                f"{text!r} is a shared subscription: reads would go to other clients as well"
            )
        for number, level in enumerate(levels, start=1):
            if match := _CAPTURE.fullmatch(level):
                if match[1] in names:
                    raise ValueError(f"{text!r} captures {{{match[1]}}} twice")
                names.add(match[1])
            elif "{" in level or "}" in level:
                raise ValueError(
                    f"{level!r} captures a part of a level: {{name}} takes a whole one, and a name "
                    "has lower-case letters, digits and _"
                )
            elif "#" in level and (level != "#" or number != len(levels)):
                raise ValueError(f"{text!r}: # stands alone in the last level only")
            elif "+" in level and level != "+":
                raise ValueError(f"{text!r}: + takes a whole level")
        return cls(levels)

    @property
    def mqtt_filter(self) -> str:
        """What is subscribed: each capture is a ``+``."""
        return "/".join("+" if _CAPTURE.fullmatch(level) else level for level in self.levels)

    @property
    def captures(self) -> tuple[str, ...]:
        """The names it captures, in order."""
        return tuple(match[1] for level in self.levels if (match := _CAPTURE.fullmatch(level)))

    def match(self, topic: str) -> dict[str, str] | None:
        """What the levels of ``topic`` captured, or ``None`` when the filter does not take it."""
        found: dict[str, str] = {}
        levels = topic.split("/")
        if topic.startswith("$") and not self.levels[0].startswith("$"):
            return None  # MQTT 5.0, 4.7.2: wildcards do not reach topics of the server's own
        for number, level in enumerate(self.levels):
            if level == "#":
                return found
            if number >= len(levels):
                return None
            if match := _CAPTURE.fullmatch(level):
                found[match[1]] = levels[number]
            elif level not in ("+", levels[number]):
                return None
        if len(levels) != len(self.levels):
            return None
        return found

    def overlaps(self, other: TopicFilter) -> bool:
        """Whether some topic is taken by both."""
        return _overlap(self.mqtt_filter.split("/"), other.mqtt_filter.split("/"))


def _overlap(one: list[str], two: list[str]) -> bool:
    if one[0] != two[0] and (_reserved(one[0]) or _reserved(two[0])):
        return False
    for a, b in zip(one, two, strict=False):
        if "#" in (a, b):
            return True
        if a != b and "+" not in (a, b):
            return False
    if len(one) == len(two):
        return True
    longer, shorter = (one, two) if len(one) > len(two) else (two, one)
    return longer[len(shorter)] == "#" and len(longer) == len(shorter) + 1


def _reserved(level: str) -> bool:
    return level.startswith("$")
