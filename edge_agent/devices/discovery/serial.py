"""The serial ports of this host, by the name that survives replugging. Looks, and opens nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from edge_agent.devices.discovery.proposal import FoundPort

#: Where udev keeps names that stay: by the device's serial number, else by where it is plugged in.
FOLDERS = (Path("/dev/serial/by-id"), Path("/dev/serial/by-path"))
_LOCKS = (Path("/run/lock"), Path("/var/lock"))
_PROC = Path("/proc")


def _comports() -> Iterable[Any]:
    from serial.tools.list_ports import comports

    found: Iterable[Any] = comports()
    return found


def list_ports(
    comports: Callable[[], Iterable[Any]] = _comports, folders: Iterable[Path] = FOLDERS
) -> list[FoundPort]:
    """Every port that the kernel knows, USB ones first."""
    stable = _stable_names(folders)
    found = [
        FoundPort(
            path=port.device,
            stable=stable.get(os.path.realpath(port.device), port.device),
            usb=None if port.vid is None else f"{port.vid:04x}:{port.pid or 0:04x}",
            product=port.product or "",
            maker=port.manufacturer or "",
            serial_number=port.serial_number or "",
        )
        for port in comports()
    ]
    return sorted(found, key=lambda port: (port.usb is None, port.path))


def named_port(address: str, known: Iterable[FoundPort]) -> FoundPort:
    """The port that somebody names by path, link or URL, known to the kernel or not."""
    if "://" in address:
        return FoundPort(address, address)
    real = os.path.realpath(address)
    for port in known:
        if os.path.realpath(port.path) == real:
            return port
    return FoundPort(address, address)


def same_port(one: str, other: str) -> bool:
    """Whether two addresses mean the same port, through whatever links."""
    if "://" in one or "://" in other:
        return one == other
    return os.path.realpath(one) == os.path.realpath(other)


def busy(path: str, *, locks: Iterable[Path] = _LOCKS, proc: Path = _PROC) -> str:
    """Which program uses the port, in a few words; empty when none does that can be seen.

    Both ways are asked: the lock files of older programs, and the open files of every process that
    we may look into.
    """
    if "://" in path:
        return ""
    real = os.path.realpath(path)
    for folder in locks:
        try:
            owner = (folder / f"LCK..{Path(real).name}").read_text().split()[0]
        except (OSError, UnicodeDecodeError, IndexError):
            continue
        if (proc / owner).exists():
            return f"{_program(proc / owner)} (process {owner})"
    for process in proc.iterdir():
        if process.name.isdigit() and process.name != str(os.getpid()) and _holds(process, real):
            return f"{_program(process)} (process {process.name})"
    return ""


def _holds(process: Path, real: str) -> bool:
    try:
        with os.scandir(process / "fd") as files:
            return any(os.readlink(file.path) == real for file in files)
    except OSError:  # it ended, or is not ours to look into
        return False


def _program(process: Path) -> str:
    try:
        return (process / "comm").read_text().strip()
    except OSError:
        return "a program"


def _stable_names(folders: Iterable[Path]) -> dict[str, str]:
    names: dict[str, str] = {}
    for folder in folders:
        try:
            links = sorted(folder.iterdir())
        except OSError:  # no udev, or no such port
            continue
        for link in links:
            names.setdefault(os.path.realpath(link), str(link))
    return names
