"""What is wrong with a port, in sentences a person can act on."""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import socket
import stat
import termios
from collections.abc import Iterator

import serial

from edge_contract.errors import Retryable

#: How a port fails, depending on the call that is struck.
FAILURES = (serial.SerialException, OSError, termios.error, ValueError, NotImplementedError)

_BUSY = {errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK}
_AWAY = {errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.EIO, errno.EPROTO}


class PortTrouble(Retryable):
    """The port cannot be used now; it is tried again. ``str()`` says why and what to do."""


class PortGone(PortTrouble):
    """It was open, and its other end is no longer there."""


class PortStuck(PortTrouble):
    """It is open and takes nothing."""


class PortSilent(PortTrouble):
    """It is open, and the device says nothing; on a network, opening it anew may help."""


class PortClosed(PortTrouble):
    """The link stops; nobody needs to hear of it."""


def no_port(path: str) -> PortTrouble:
    return PortTrouble(
        f"There is no port {path}: plug the device in and switch it on. "
        "edge-agent devices discover lists the ports that are there."
    )


def not_serial(path: str) -> PortTrouble:
    return PortTrouble(
        f"{path} is not a serial port: name one that edge-agent devices discover lists."
    )


def unplugged(path: str) -> PortGone:
    return PortGone(f"{path} was unplugged: plug the device in again.")


def hung_up(address: str) -> PortGone:
    if "://" in address:
        return PortGone(f"{address} closed the connection: check the device server and its power.")
    return unplugged(address)


def stuck(address: str) -> PortStuck:
    return PortStuck(
        f"The device at {address} takes no data: check its power, its cable and the flow control."
    )


def local_trouble(path: str, settings: str, error: BaseException) -> PortTrouble:
    """Why a path could not be opened. ``settings`` as ``2400 baud 7E1``."""
    number = _number(error)
    if number in _AWAY:
        return no_port(path)
    if number in {errno.EACCES, errno.EPERM}:
        return PortTrouble(
            f"The agent may not use {path}: add its user to the group {_group(path)} "
            "and start the agent anew."
        )
    if number in _BUSY:
        return PortTrouble(
            f"Another program uses {path}: stop it (fuser {path} names it). "
            "A port serves one program at a time."
        )
    if number in {errno.ENOTTY, errno.EISDIR}:
        return not_serial(path)
    if number == errno.EINVAL or isinstance(error, ValueError):
        return PortTrouble(
            f"{path} does not take {settings}: set what the adapter and the device can do."
        )
    return PortTrouble(f"{path} cannot be opened: {error}. Check the adapter.")


def network_trouble(address: str, settings: str, error: BaseException) -> PortTrouble:
    """Why ``socket://…`` or ``rfc2217://…`` could not be opened."""
    host = address.partition("://")[2].rpartition(":")[0]
    for one in _chain(error):
        if isinstance(one, socket.gaierror):
            return PortTrouble(
                f"The host {host} is not known: check its spelling, or use its address."
            )
        if isinstance(one, ConnectionRefusedError):
            return PortTrouble(
                f"{address} refuses the connection: check the port number, that the device server "
                "runs, and that no other program holds it."
            )
        if isinstance(one, TimeoutError):
            return PortTrouble(f"{address} does not answer: check its power and the network.")
    number = _number(error)
    if number is not None:
        return PortTrouble(
            f"{address} cannot be reached ({os.strerror(number)}): check its power and the network."
        )
    said = str(error)
    if "parameter change" in said or "rejected value" in said:
        return PortTrouble(
            f"{address} does not take {settings}: set what the device server can do."
        )
    if "RFC2217" in said:
        return PortTrouble(
            f"{address} does not speak RFC 2217: enable it there, or use socket:// and set the "
            "line on the device server."
        )
    return PortTrouble(f"{address} cannot be opened: {said}.")


def bad_address(address: str) -> PortTrouble:
    return PortTrouble(
        f"{address!r} names no port: use a path, socket://host:port or rfc2217://host:port."
    )


def is_character_device(path: str) -> bool:
    """Raises OSError when there is no such path."""
    return stat.S_ISCHR(os.stat(path).st_mode)


def _number(error: BaseException) -> int | None:
    """The errno behind an error of pyserial, which wraps them without it."""
    for one in _chain(error):
        if isinstance(one, OSError) and isinstance(one.errno, int):
            return one.errno
        if isinstance(one, termios.error) and one.args and isinstance(one.args[0], int):
            return one.args[0]
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        yield at
        at = at.__cause__ or at.__context__


def _group(path: str) -> str:
    """Who may use it: the group of the port, which Debian calls dialout."""
    with contextlib.suppress(OSError, KeyError):
        status = os.stat(path)
        if status.st_gid and status.st_mode & stat.S_IWGRP:
            return f"{grp.getgrgid(status.st_gid).gr_name} (usually dialout)"
    return "dialout"
