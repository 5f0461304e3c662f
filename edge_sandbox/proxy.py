"""A TCP proxy that fails on demand: the link between two real parts, with its faults.

It runs in a thread of its own with its own event loop, so that a test or the demo can cut a link
with one call from anywhere.
"""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Literal

Mode = Literal["pass", "cut", "silent", "swallow_reply"]


class FaultProxy:
    """Forwards ``127.0.0.1:port`` to a target. Modes:

    - ``pass``: forward;
    - ``cut``: close every connection and refuse new ones at once;
    - ``silent``: accept and forward nothing, as a half-open link does;
    - ``swallow_reply``: forward requests and drop what comes back: the peer did the work, and the
      caller never hears of it.
    """

    def __init__(self, target_host: str, target_port: int) -> None:
        self._target = (target_host, target_port)
        self._mode: Mode = "pass"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="fault-proxy", daemon=True)
        self._ready = threading.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.connections = 0
        """Connections accepted so far."""

    def __enter__(self) -> FaultProxy:
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("the proxy did not start within 10 s")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def set(self, mode: Mode) -> None:
        """Change the mode; ``cut`` also ends the connections that are open."""

        async def change() -> None:
            self._mode = mode
            if mode == "cut":
                for writer in list(self._writers):
                    writer.transport.abort()

        asyncio.run_coroutine_threadsafe(change(), self._loop).result(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        try:
            self._loop.run_forever()
        finally:
            server.close()
            for task in list(self._tasks):
                task.cancel()
            for writer in list(self._writers):
                writer.transport.abort()
            pending = asyncio.all_tasks(self._loop)
            self._loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
            self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self._mode == "cut":
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        up = asyncio.ensure_future(self._pump(reader, far_writer, reply=False))
        down = asyncio.ensure_future(self._pump(far_reader, writer, reply=True))
        self._tasks |= {up, down}
        await asyncio.wait({up, down})
        self._tasks -= {up, down}
        for end in (writer, far_writer):
            self._writers.discard(end)
            end.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, reply: bool
    ) -> None:
        try:
            while data := await reader.read(65536):
                if self._mode == "silent" or (reply and self._mode == "swallow_reply"):
                    continue
                writer.write(data)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()
        except OSError:
            # A killed process resets its connections: the other end has to hear of it.
            writer.transport.abort()
        except asyncio.CancelledError:
            return
