"""Reads and writes a terminal or a socket by its file descriptor, and can be interrupted."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable

from edge_agent.devices.ports.troubles import PortClosed, hung_up, stuck

_PIECE = 4096


class DescriptorLine:
    """Blocks in ``poll`` and nowhere else, so a device that does nothing costs nothing."""

    def __init__(self, address: str, fd: int, wake: int, close: Callable[[], None]) -> None:
        """``fd`` does not block; ``wake``: a descriptor that becomes readable when all is over."""
        self._address, self._fd, self._wake, self._close = address, fd, wake, close
        self._inward, self._outward = select.poll(), select.poll()
        self._inward.register(fd, select.POLLIN)
        self._outward.register(fd, select.POLLOUT)
        for each in (self._inward, self._outward):
            each.register(wake, select.POLLIN)

    def read(self, timeout: float) -> bytes:
        """What is there, waiting for it as long as ``timeout``; empty when nothing came."""
        ready = self._inward.poll(max(0, round(timeout * 1000)))
        if not ready or ready[-1][0] == self._wake or ready[0][0] == self._wake:
            return b""
        try:
            data = os.read(self._fd, _PIECE)
        except BlockingIOError:
            if ready[0][1] & (select.POLLHUP | select.POLLERR | select.POLLNVAL):
                raise hung_up(self._address) from None
            return b""
        except OSError:
            raise hung_up(self._address) from None
        if not data:
            raise hung_up(self._address)
        return data

    def write(self, data: bytes, timeout: float) -> None:
        """Write all of it. What the device does not take in ``timeout`` is ``PortStuck``."""
        rest = memoryview(data)
        deadline = time.monotonic() + timeout
        while True:
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:
                pass
            except OSError:
                raise hung_up(self._address) from None
            if not rest:
                return
            ready = dict(self._outward.poll(max(0, round((deadline - time.monotonic()) * 1000))))
            if self._wake in ready:
                raise PortClosed("The link stops.")
            if not ready:
                raise stuck(self._address)
            if not ready[self._fd] & select.POLLOUT:
                raise hung_up(self._address)

    def close(self) -> None:
        self._close()

    def interrupt(self) -> None:
        """Nothing to do: whoever waits sees that ``wake`` is readable."""
