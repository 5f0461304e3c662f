"""Which Debian mirror this machine uses, read from its own apt configuration."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

APT = Path("/etc/apt")


def debian_mirrors(configuration: Path = APT) -> list[str]:
    """Addresses of the Debian archive in the machine's apt sources, in their order.

    Security and third-party archives are left out: they have no suite ``sid``.
    """
    found: dict[str, None] = {}
    for source in _files(configuration):
        text = source.read_text(encoding="utf-8", errors="replace")
        entries = _deb822(text) if source.suffix == ".sources" else _one_line(text)
        for address, suite, components in entries:
            if _is_archive(address, suite, components):
                found[address.rstrip("/")] = None
    return list(found)


def _files(configuration: Path) -> Iterator[Path]:
    main = configuration / "sources.list"
    if main.is_file():
        yield main
    parts = configuration / "sources.list.d"
    if parts.is_dir():
        yield from sorted(p for p in parts.iterdir() if p.suffix in {".list", ".sources"})


def _is_archive(address: str, suite: str, components: list[str]) -> bool:
    path = address.rstrip("/").lower()
    return (
        path.endswith(("/debian", "mirrors/debian.list"))
        and not suite.endswith(("-security", "/updates", "-backports"))
        and "main" in components
    )


def _one_line(text: str) -> Iterator[tuple[str, str, list[str]]]:
    """``deb [options] address suite component…``"""
    for raw in text.splitlines():
        line = raw.split("#", 1)[0].strip()
        if not line.startswith("deb "):
            continue
        rest = line.removeprefix("deb").strip()
        if rest.startswith("["):
            rest = rest.partition("]")[2]
        words = rest.split()
        if len(words) >= 3:
            yield words[0], words[1], words[2:]


def _deb822(text: str) -> Iterator[tuple[str, str, list[str]]]:
    """Stanzas of ``Types``, ``URIs``, ``Suites``, ``Components``, ``Enabled``."""
    for stanza in text.replace("\r\n", "\n").split("\n\n"):
        fields: dict[str, list[str]] = {}
        key = ""
        for line in stanza.splitlines():
            if line.startswith("#"):
                continue
            if line[:1].isspace():
                if key:
                    fields[key] += line.split()
                continue
            name, _, value = line.partition(":")
            key = name.strip().lower()
            fields[key] = value.split()
        if "deb" not in fields.get("types", []) or fields.get("enabled") == ["no"]:
            continue
        for address in fields.get("uris", []):
            for suite in fields.get("suites", []):
                yield address, suite, fields.get("components", [])
