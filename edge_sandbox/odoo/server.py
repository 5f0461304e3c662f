"""One Odoo server process; it serves as many databases as one likes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import httpx

from edge_contract.errors import NeedsOperator
from edge_sandbox.odoo.cluster import free_port
from edge_sandbox.odoo.database import OdooDatabase
from edge_sandbox.odoo.launch import Launch

if TYPE_CHECKING:
    from edge_sandbox.odoo.sandbox import Sandbox

#: Seconds a server may take to answer for the first time, on a busy machine.
_BOOT = 180.0

#: Seconds it gets to finish what it does; nothing in a sandbox is worth more.
_GRACE = 4.0


class OdooServer:
    """A server of a :class:`Sandbox`. ``url``, ``port`` and ``log`` stay over a restart.

    ``only`` is the one database it serves; without it, it serves every database of the sandbox
    to whoever names one in the ``X-Odoo-Database`` header, as :class:`OdooDatabase` does.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        launch: Launch,
        master: str,
        log: Path,
        *,
        port: int | None = None,
        workers: int = 0,
        only: str | None = None,
        detached: bool = False,
    ) -> None:
        self.log = log
        self.only = only
        self.port = port or free_port()
        self._any_port = port is None
        self._sandbox = sandbox
        self._launch = launch
        self._master = master
        self._workers = workers
        self._detached = detached
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> OdooServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def configuration(self) -> Path:
        return self._launch.configuration

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    # -- its life ------------------------------------------------------------------------------

    def start(self) -> None:
        """Start it and wait until it answers."""
        for last in (False, False, True):
            self._spawn()
            if self._answers():
                return
            self.kill()
            if not self._any_port or last:
                break
            self.port = free_port()  # somebody may have taken it meanwhile
        raise NeedsOperator(
            "odoo",
            f"Odoo did not answer at {self.url}. "
            f"Its log {self.log} ends with:\n{self.last_words()}",
            "Name a free port with --port, or see the log.",
        )

    def stop(self) -> None:
        """SIGTERM, and SIGKILL when it does not listen."""
        if self._process is None or self._detached:
            return
        if self.running:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_GRACE)
        self.kill()

    def kill(self) -> None:
        """``kill -9`` of the server and its workers: open transactions are rolled back."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)
        self._process = None

    def restart(self) -> None:
        """End it and start it again on the same port."""
        self.stop()
        self._any_port = False
        self.start()

    def last_words(self, lines: int = 20) -> str:
        """The end of its log."""
        if not self.log.is_file():
            return "nothing"
        text = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(text[-lines:])

    # -- its databases -------------------------------------------------------------------------

    def database(self, name: str) -> OdooDatabase:
        """A database of the sandbox through this server, with the administrator's key."""
        template = self._sandbox.template
        return OdooDatabase(
            self.url,
            name,
            template.admin_key,
            series=self._sandbox.tree.series,
            stock_key=template.stock_key,
            dsn=self._sandbox.cluster.dsn(name),
        )

    def clone(self, label: str = "odoo") -> OdooDatabase:
        """A new database, like the template; about a second. Drop it with the sandbox's drop."""
        return self.database(self._sandbox.clone(label=label))

    def forget(self, name: str) -> None:
        """Make the server forget what it holds of a database: registry, caches, connections.

        Odoo does so when it renames a database, so it is renamed there and back.
        """
        if not self.running:
            return
        with contextlib.suppress(httpx.HTTPError):
            aside = f"{name}_aside"
            self._manage("rename", [self._master, name, aside])
            self._manage("rename", [self._master, aside, name])

    def _manage(self, method: str, arguments: list[str]) -> None:
        """Odoo's database service; what it answers does not matter to us."""
        httpx.post(
            f"{self.url}/jsonrpc",
            json={
                "jsonrpc": "2.0",
                "method": "call",
                "params": {"service": "db", "method": method, "args": arguments},
            },
            timeout=60,
            trust_env=False,
        )

    # -- starting ------------------------------------------------------------------------------

    def _spawn(self) -> None:
        words = ["server", f"--http-port={self.port}", f"--workers={self._workers}"]
        if self._workers:
            words.append(f"--gevent-port={free_port()}")
        words += [f"-d{self.only}"] if self.only else ["--db-filter=^(?!template)"]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            log = stack.enter_context(self.log.open("ab"))
            keeps = (
                (stack.enter_context(self._sandbox.cluster.lock_for_child()),)
                if self._detached
                else ()
            )
            self._process = subprocess.Popen(
                self._launch.command(*words),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._launch.environment(),
                cwd="/",
                start_new_session=True,  # Ctrl-C in the terminal is not meant for it
                pass_fds=keeps,
            )

    def _answers(self) -> bool:
        end = time.monotonic() + _BOOT
        while time.monotonic() < end and self.running:
            with contextlib.suppress(httpx.TransportError):
                answer = httpx.get(f"{self.url}/web/health", timeout=10, trust_env=False)
                # The port may be another's: ours is the process that must live on.
                if answer.is_success and self.running:
                    return True
            time.sleep(0.1)
        return False
