"""The relay's configuration: a TOML file, checked before anything starts.

``cloud-relay config example`` prints a file with every section explained, ``cloud-relay config
check`` says what is wrong with one. Secrets stand in files of their own, never in this one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from edge_contract.batch import MAX_BATCH_BYTES, MAX_BATCH_EVENTS
from edge_contract.event import Identifier
from edge_contract.toml_errors import ConfigurationError, line_of, parse_toml

DEFAULT_PATH = Path("/etc/warehouse-edge/relay.toml")
DEFAULT_SOCKET = Path("/run/warehouse-edge/relay.sock")
REMEDY = "`cloud-relay config example` prints a file with every key explained."

#: A token that can be guessed is none.
SHORTEST_TOKEN = 16

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Model = TypeVar("Model", bound=BaseModel)
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Listen(_Section):
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8470
    """0 takes a free port; the log says which."""


class InboxSection(_Section):
    path: Path = Path("/var/lib/warehouse-edge/inbox.db")
    keep_days: Annotated[float, Field(gt=0, le=3650)] = 90
    """How long applied events are kept: longer than Odoo's backups go back, because a restored
    Odoo is filled up from here."""
    keep_readings_days: Annotated[float, Field(gt=0, le=3650)] = 30
    """How long raw readings (scans, weights, states) are kept for trace."""


class Control(_Section):
    socket: Path = DEFAULT_SOCKET
    mode: Annotated[str, Field(pattern=r"^0?[0-7]{3}$")] = "0600"
    """Who may open the socket may do everything; 0660 lets its group in."""


class TokenSource(_Section):
    """A bearer token: its file, or only its SHA-256 (of the token without a newline)."""

    token_file: Path | None = None
    token_sha256: Sha256 | None = None


class Monitor(TokenSource):
    """The central team's token: reads every site, writes nothing."""


class Site(TokenSource):
    target: Identifier


class Target(_Section):
    """One company of one Odoo database with a set of warehouses, and one writer."""

    odoo_url: Annotated[str, Field(pattern=r"^https?://[^/\s?#]+/?$")]
    database: Annotated[str, Field(min_length=1, max_length=200)]
    key_file: Path
    company: Annotated[int, Field(ge=1)]
    warehouses: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]
    allow_negative: bool = False
    """Let an event drive stock below zero instead of refusing it."""
    batch: Annotated[int, Field(ge=1, le=500)] = 150
    """Most events in one call of Odoo."""
    timeout_s: Seconds = 120
    """How long to wait for one call before its outcome counts as unknown."""
    straggler_grace_s: Annotated[float, Field(ge=0, le=86_400)] = 60
    """How long an event that finds too little stock waits although nothing older is known to be on
    the way: a handheld out of reach may still hold what supplies it."""
    straggler_limit_s: Annotated[float, Field(ge=0, le=7 * 86_400)] = 900
    """How long it waits at most for older events that agents say they have not sent yet."""

    @field_validator("warehouses")
    @classmethod
    def _no_twins(cls, warehouses: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(warehouses)) != len(warehouses):
            raise ValueError("names a warehouse twice")
        return tuple(sorted(warehouses))


class Limits(_Section):
    """What one site may ask of the relay; a flood of one is refused and never felt by another."""

    batch_events: Annotated[int, Field(ge=1, le=MAX_BATCH_EVENTS)] = MAX_BATCH_EVENTS
    batch_bytes: Annotated[int, Field(ge=1024, le=64 * 1024 * 1024)] = MAX_BATCH_BYTES
    """Of the body after decompression; compressed it may not be longer either."""
    events_per_second: Annotated[float, Field(gt=0)] = 5_000
    events_at_once: Annotated[int, Field(ge=1)] = 50_000
    requests_per_second: Annotated[float, Field(gt=0)] = 50
    requests_at_once: Annotated[int, Field(ge=1)] = 200
    open_requests: Annotated[int, Field(ge=1)] = 16
    """Requests of one site under way at the same time, long polls included."""
    body_s: Seconds = 30
    """A body that takes longer to arrive is cut off."""
    long_poll_s: Annotated[float, Field(ge=0, le=120)] = 25


class Settings(_Section):
    """The whole file."""

    listen: Listen = Listen()
    inbox: InboxSection = InboxSection()
    control: Control = Control()
    monitor: Monitor | None = None
    targets: Annotated[dict[Identifier, Target], Field(min_length=1)]
    sites: Annotated[dict[Identifier, Site], Field(min_length=1)]
    limits: Limits = Limits()


class Tokens(BaseModel):
    """SHA-256 digests (raw) of the tokens, by what they let in."""

    model_config = ConfigDict(frozen=True)

    sites: Mapping[str, bytes]
    monitor: bytes | None


def example() -> str:
    """A file to start from, with every key explained."""
    return resources.files("cloud_relay").joinpath("example.toml").read_text(encoding="utf-8")


def load(path: Path) -> Settings:
    """Read and check a configuration file; raises :class:`ConfigurationError`.

    Relative paths in the file are relative to the file's directory.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigurationError(
            f"{path}: there is no such file.",
            "Name one with --config, or write it: " + REMEDY,
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}.", REMEDY) from None
    return _anchored(parse(text, str(path)), path.absolute().parent)


def _anchored(model: Model, base: Path) -> Model:
    """``model`` with every relative path made absolute, however deep it stands."""
    changes: dict[str, Any] = {}
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            changes[name] = _anchored(value, base)
        elif isinstance(value, dict):
            changes[name] = {key: _anchored(section, base) for key, section in value.items()}
        elif isinstance(value, Path):
            changes[name] = base / value
    return model.model_copy(update=changes)


def parse(text: str, file: str) -> Settings:
    """Check a configuration's text; raises :class:`ConfigurationError` with every mistake."""
    settings = parse_toml(text, file, Settings, REMEDY)
    mistakes = [
        f"{file}:{line}: {words}" if (line := line_of(text, keys)) else f"{file}: {words}"
        for keys, words in _across(settings)
    ]
    if mistakes:
        raise ConfigurationError("\n".join(mistakes), REMEDY)
    return settings


def _across(settings: Settings) -> list[tuple[list[str | int], str]]:
    """Mistakes that only show when sections are held against each other."""
    found: list[tuple[list[str | int], str]] = []
    for name, site in settings.sites.items():
        if site.target not in settings.targets:
            known = ", ".join(settings.targets)
            words = f"sites.{name}.target names no target; there is: {known}."
            found.append((["sites", name, "target"], words))
        found += _token_mistakes(["sites", name], site)
    if settings.monitor is not None:
        found += _token_mistakes(["monitor"], settings.monitor)
    writers: dict[tuple[str, str, int], str] = {}
    for name, target in settings.targets.items():
        for warehouse in target.warehouses:
            place = (target.odoo_url.rstrip("/").lower(), target.database, warehouse)
            other = writers.setdefault(place, name)
            if other != name:
                words = (
                    f"targets.{name}.warehouses: warehouse {warehouse} belongs to target {other} "
                    "already; one warehouse has one writer, so give both sites the same target."
                )
                found.append((["targets", name, "warehouses"], words))
    return found


def _token_mistakes(
    keys: list[str | int], source: TokenSource
) -> list[tuple[list[str | int], str]]:
    if (source.token_file is None) == (source.token_sha256 is None):
        name = ".".join(str(key) for key in keys)
        return [(keys, f"[{name}] needs exactly one of token_file and token_sha256.")]
    return []


def read_tokens(settings: Settings) -> Tokens:
    """The digests of all tokens, reading their files; raises :class:`ConfigurationError`."""
    sites = {name: _token_digest(f"sites.{name}", site) for name, site in settings.sites.items()}
    monitor = None
    if settings.monitor is not None:
        monitor = _token_digest("monitor", settings.monitor)
    owners: dict[bytes, str] = {}
    everyone = [(f"sites.{name}", token) for name, token in sites.items()]
    if monitor is not None:
        everyone.append(("monitor", monitor))
    for name, token in everyone:
        other = owners.setdefault(token, name)
        if other != name:
            raise ConfigurationError(
                f"[{name}] and [{other}] have the same token: it would not tell them apart.",
                "Give each its own.",
            )
    return Tokens(sites=sites, monitor=monitor)


def _token_digest(name: str, source: TokenSource) -> bytes:
    if source.token_sha256 is not None:
        return bytes.fromhex(source.token_sha256)
    assert source.token_file is not None
    token = read_secret(source.token_file, f"{name}.token_file")
    if len(token) < SHORTEST_TOKEN:
        raise ConfigurationError(
            f"{source.token_file} ({name}.token_file) has a token of {len(token)} characters.",
            f"Use at least {SHORTEST_TOKEN}, for example the output of `openssl rand -hex 32`.",
        )
    return hashlib.sha256(token.encode()).digest()


def read_secret(path: Path, key: str) -> str:
    """A secret from its own file: one line, without the newline."""
    try:
        secret = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        raise ConfigurationError(f"{path} ({key}) does not exist.", "Write it there.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{path} ({key}) cannot be read: {error}.",
            "It must be readable by the relay's user and hold one line of ASCII.",
        ) from None
    if not secret or re.search(r"\s", secret):
        raise ConfigurationError(
            f"{path} ({key}) must hold one line with the secret and nothing else.",
            "Write the secret there.",
        )
    return secret
