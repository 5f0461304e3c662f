"""Whether the file of a profile is in order, for people and for scripts."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge_agent.devices.profiles.library import (
    check_name,
    is_shipped,
    parse_profile,
    read_profile_text,
)
from edge_agent.devices.profiles.schema import Profile
from edge_contract.toml_errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong with a file."""

    line: int | None
    """From 1; none when it is about the file as a whole."""
    message: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found in one file."""

    file: str
    name: str
    profile: Profile | None
    mistakes: tuple[Mistake, ...]
    remedy: str
    replaces: bool
    """It takes the place of a profile that comes with the agent."""

    def document(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "file": self.file,
            "name": self.name,
            "ok": self.profile is not None and not self.mistakes,
            "title": self.profile.title if self.profile else None,
            "class": self.profile.device_class if self.profile else None,
            "replaces_shipped": self.replaces,
            "errors": [asdict(mistake) for mistake in self.mistakes],
            "remedy": self.remedy,
        }


def checked(path: Path) -> Checked:
    """Read one file and check it; every mistake of it is found, none is raised."""
    name = path.name.removesuffix(".toml")
    replaces = is_shipped(name)
    wrong_name = check_name(name)
    if not path.name.endswith(".toml"):
        wrong_name = f"{path.name!r} does not end in .toml: rename it, or it will not be found."
    mistakes = [Mistake(None, wrong_name)] if wrong_name else []
    try:
        profile = parse_profile(read_profile_text(path), str(path))
    except ConfigurationError as error:
        mistakes += [_mistake(line, str(path)) for line in error.message.splitlines()]
        return Checked(str(path), name, None, tuple(mistakes), error.remedy, replaces)
    return Checked(str(path), name, profile, tuple(mistakes), "", replaces)


def _mistake(sentence: str, file: str) -> Mistake:
    match = re.match(re.escape(file) + r"(?::(\d+))?: ", sentence)
    if match is None:
        return Mistake(None, sentence)
    return Mistake(int(match[1]) if match[1] else None, sentence[match.end() :])
