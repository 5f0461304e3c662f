"""The profiles there are: those that come with the agent, and a site's own, which win.

A profile is one TOML file; its name is the file's. ``profiles/`` beside ``agent.toml`` holds the
site's own ones: a new name is a new profile, a known name replaces the one that came along.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edge_agent.devices.profiles.schema import Profile
from edge_agent.places import DEFAULT_PATH
from edge_contract.toml_errors import ConfigurationError, known_keys, parse_toml

_SHIPPED = Path(__file__).parent
#: What a profile may be called: it stands in configurations and commands.
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
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
        found = {path.stem: "shipped" for path in _SHIPPED.glob("*.toml")}
        if self._folder is not None and self._folder.is_dir():
            found |= {path.stem: str(path) for path in self._folder.glob("*.toml")}
        return dict(sorted(found.items()))

    def text(self, name: str) -> tuple[str, str]:
        """The text of a profile and the name of its file. Raises ``ConfigurationError``."""
        source = self.names().get(name)
        if source is None:
            raise ConfigurationError(
                f"There is no profile {name!r}{meant(name, self.names())}",
                "edge-agent profiles list shows those there are.",
            )
        path = _SHIPPED / f"{name}.toml" if source == "shipped" else Path(source)
        return read_profile_text(path), f"{name}.toml" if source == "shipped" else source

    def get(self, name: str) -> Profile:
        """The profile of that name. Raises ``ConfigurationError``."""
        return parse_profile(*self.text(name))


def site_folder(config: Path) -> Path:
    """The folder of the site's own profiles, by its configuration file.

    Of the file only this one key counts: the commands that help with profiles must work while the
    rest of it is wrong, or not written yet. Raises ``ConfigurationError`` when somebody names a
    file that is not there.
    """
    if config != DEFAULT_PATH and not config.exists():
        raise ConfigurationError(
            f"There is no configuration {config}.",
            "Name the agent's file with --config, or leave it out.",
        )
    try:
        named = tomllib.loads(config.read_text(encoding="utf-8")).get("profiles")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        named = None
    return config.absolute().parent / (named if isinstance(named, str) else "profiles")


def check_name(name: str) -> str:
    """What is wrong with the name of a profile, in a sentence; empty when it is a good one."""
    if _NAME.fullmatch(name):
        return ""
    return (
        f"{name[:80]!r} cannot name a profile: rename the file to lower-case letters, digits, "
        "'.', '_' and '-', as acme-3000.toml."
    )


def is_shipped(name: str) -> bool:
    """Whether a profile of that name comes with the agent."""
    return bool(_NAME.fullmatch(name)) and (_SHIPPED / f"{name}.toml").is_file()


def read_profile_text(path: Path) -> str:
    """The text of a profile's file. Raises ``ConfigurationError``."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"The profile {path} cannot be read: {why}.") from error


def meant(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: ``; did you mean mt-sics?`` or a full stop."""
    import difflib  # slow to load, and needed for mistakes only

    alike = difflib.get_close_matches(name.lower(), list(known), n=2)
    return f"; did you mean {' or '.join(alike)}?" if alike else "."


def overridden(profile: Profile, changes: Mapping[str, Any]) -> Profile:
    """``profile`` with some of its keys set otherwise. Raises ValueError with a sentence."""
    merged = _merged(profile.model_dump(exclude_unset=True), changes)
    try:
        return Profile.model_validate(merged)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(map(str, found["loc"]))
        if found["type"] == "extra_forbidden":
            known = ", ".join(known_keys(Profile, found["loc"][:-1]))
            raise ValueError(f"override.{where} is unknown; known here: {known}") from None
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
