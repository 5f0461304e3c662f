"""Ports of this host: a tty by path, by-id or by-path link, or ``hwgrep://``."""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import termios

import serial

from edge_agent.devices.ports.descriptor import DescriptorLine
from edge_agent.devices.ports.troubles import (
    FAILURES,
    bad_address,
    is_character_device,
    local_trouble,
    no_port,
    not_serial,
)
from edge_agent.devices.profiles.parts import SerialLine

#: Major numbers of pseudo-terminals on Linux, which have neither speed nor parity.
_PSEUDO = range(136, 144)
#: Linux: struct serial_icounter_struct of twenty ints, of which these count what was lost.
_TIOCGICOUNT = 0x545D
_LOST = {"frame_errors": 6, "overruns": 7, "parity_errors": 8, "buffer_overruns": 10}


def path_of(address: str) -> str:
    """The path that an address means now. Raises ``PortTrouble``."""
    if address.startswith("hwgrep://"):
        from serial.tools.list_ports import grep

        found = next(iter(grep(address.removeprefix("hwgrep://"))), None)
        if found is None:
            raise no_port(address)
        return str(found.device)
    if "://" in address:
        raise bad_address(address)
    return address


def described(line: SerialLine) -> str:
    """As people write it: ``2400 baud 7E1``."""
    return f"{line.baudrate} baud {line.bytesize}{line.parity}{line.stopbits}"


class LocalLine(DescriptorLine):
    """One tty, ours alone."""

    def __init__(self, path: str, settings: SerialLine, wake: int) -> None:
        """Opens it. Raises ``PortTrouble``."""
        self._port = _opened(path, settings)
        fd = self._port.fileno()
        at = os.fstat(fd)
        self._path, self._identity = path, (at.st_dev, at.st_ino, at.st_rdev)
        super().__init__(path, fd, wake, self._shut)

    def is_there(self) -> bool:
        """Whether the path still means what was opened. A port whose adapter is gone may be as
        silent as one whose device says nothing."""
        try:
            now = os.stat(self._path)
        except OSError:
            return False
        return (now.st_dev, now.st_ino, now.st_rdev) == self._identity

    def lost(self) -> dict[str, int]:
        """What the kernel knows to be lost since the port was made; empty where it does not say."""
        return lost_on(self._port.fileno())

    def _shut(self) -> None:
        with contextlib.suppress(*FAILURES):
            self._port.reset_output_buffer()  # else closing waits for a device that takes nothing
        with contextlib.suppress(*FAILURES):
            self._port.close()


def lost_on(fd: int) -> dict[str, int]:
    """The kernel's counters of lost bytes of a tty."""
    counters = array.array("i", [0] * 20)
    try:
        fcntl.ioctl(fd, _TIOCGICOUNT, counters)
    except (OSError, ValueError):  # a pseudo-terminal or a driver without counters; not Linux
        return {}
    return {name: counters[index] for name, index in _LOST.items()}


def _opened(path: str, settings: SerialLine) -> serial.Serial:
    port = serial.Serial(
        baudrate=settings.baudrate,
        stopbits=settings.stopbits,
        xonxoff=settings.flow == "xonxoff",
        rtscts=settings.flow == "rtscts",
        dsrdtr=settings.flow == "dsrdtr",
        timeout=0,
        write_timeout=0,
        exclusive=True,
    )
    port.dtr, port.rts = settings.dtr, settings.rts
    try:
        if not is_character_device(path):
            raise not_serial(path)
        if os.major(os.stat(path).st_rdev) not in _PSEUDO:
            port.bytesize, port.parity = settings.bytesize, settings.parity
        port.port = path
        port.open()
    except FAILURES as error:
        raise local_trouble(path, described(settings), error) from error
    if settings.parity != "N":
        with contextlib.suppress(*FAILURES):
            check_parity(port.fileno())
    return port


def check_parity(fd: int) -> None:
    """Let a byte of wrong parity be read as NUL. pyserial sends parity and does not check it, and
    a digit that the line turned into another one would be a weight."""
    attributes = termios.tcgetattr(fd)
    attributes[0] |= termios.INPCK
    attributes[0] &= ~termios.IGNPAR
    termios.tcsetattr(fd, termios.TCSANOW, attributes)
