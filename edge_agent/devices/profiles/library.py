"""The profiles there are: those that come with the agent, and a site's own, which win.

A profile is one TOML file; its name is the file's. ``profiles/`` beside ``agent.toml`` holds the
site's own ones: a new name is a new profile, a known name replaces the one that came along.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edge_agent.devices.profiles.schema import Profile
from edge_contract.toml_errors import ConfigurationError, parse_toml

_REMEDY = (
    "edge-agent profiles check FILE tries it; edge-agent profiles show NAME prints a good one."
)


def parse_profile(text: str, file: str) -> Profile:
    """Check the text of one profile. Raises ``ConfigurationError`` naming file, line and remedy."""
    return parse_toml(text, file, Profile, _REMEDY)


class ProfileLibrary:
    """Profiles by name. Reads files when asked, so a changed one is seen without a restart."""

    def __init__(self, folder: Path | None = None) -> None:
        """``folder``: the site's own profiles; one that is missing is an empty one."""
        self._folder = folder

    def names(self) -> dict[str, str]:
        """Every name with where it comes from: ``shipped``, or the path of the site's own file."""
        found = {
            entry.name.removesuffix(".toml"): "shipped"
            for entry in files(__package__).iterdir()
            if entry.name.endswith(".toml")
        }
        if self._folder is not None and self._folder.is_dir():
            found |= {path.stem: str(path) for path in sorted(self._folder.glob("*.toml"))}
        return dict(sorted(found.items()))

    def text(self, name: str) -> tuple[str, str]:
        """The text of a profile and the name of its file. Raises ``ConfigurationError``."""
        source = self.names().get(name)
        if source is None:
            alike = difflib.get_close_matches(name, self.names(), n=1)
            meant = f"; did you mean {alike[0]}?" if alike else "."
            raise ConfigurationError(
                f"There is no profile {name!r}{meant}",
                "edge-agent profiles list shows those there are.",
            )
        if source == "shipped":
            entry = files(__package__).joinpath(f"{name}.toml")
            return entry.read_text(encoding="utf-8"), f"{name}.toml"
        try:
            return Path(source).read_text(encoding="utf-8"), source
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or error
            raise ConfigurationError(f"The profile {source} cannot be read: {why}.") from error

    def get(self, name: str) -> Profile:
        """The profile of that name. Raises ``ConfigurationError``."""
        return parse_profile(*self.text(name))


def overridden(profile: Profile, changes: Mapping[str, Any]) -> Profile:
    """``profile`` with some of its keys set otherwise. Raises ValueError with a sentence."""
    merged = _merged(profile.model_dump(exclude_unset=True), changes)
    try:
        return Profile.model_validate(merged)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(map(str, found["loc"]))
        said = found["msg"].removeprefix("Value error, ")
        raise ValueError(f"override.{where}: {said}" if where else said) from None


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        below = merged.get(key)
        merged[key] = (
            _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
        )
    return merged
