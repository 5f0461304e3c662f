"""A PostgreSQL cluster of the sandbox's own, shared by everybody who uses one cache.

It listens on a free port of 127.0.0.1 with a password, runs while anybody needs it, and forgets
about durability: everything in it can be made again.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from edge_contract.errors import NeedsOperator
from edge_sandbox.odoo.cache import Cache, become_only_holder, write_secret
from edge_sandbox.odoo.privileges import Runner, runner_for
from edge_sandbox.odoo.running import is_running, wait_gone

#: What copying and dropping databases in use takes; Odoo 19 is content with 13.
_OLDEST = 14

ROLE = "odoo"

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "2GB",
    "shared_buffers": "256MB",
    "max_connections": "200",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


def system_binaries(root: Path = Path("/usr/lib/postgresql")) -> Path | None:
    """The newest PostgreSQL that Debian or Ubuntu installed, if it is new enough."""
    versions: list[tuple[int, Path]] = []
    for initdb in root.glob("*/bin/initdb"):
        name = initdb.parent.parent.name
        if name.isdecimal() and int(name) >= _OLDEST and (initdb.parent / "postgres").exists():
            versions.append((int(name), initdb.parent))
    return max(versions)[1] if versions else None


def free_port() -> int:
    """A port of 127.0.0.1 nobody listens on at the moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Cluster:
    """One cluster for each major version of PostgreSQL in the cache."""

    def __init__(self, cache: Cache, binaries: Path) -> None:
        self.binaries = binaries
        shown = subprocess.run(
            [str(binaries / "postgres"), "--version"], capture_output=True, text=True, check=False
        )
        version = re.search(r"(\d+)(?:\.\d+)?", shown.stdout)
        if shown.returncode != 0 or version is None:
            raise NeedsOperator(
                "postgresql",
                f"{binaries / 'postgres'} does not run here: {shown.stderr.strip()[-200:]}",
                "Install Debian's package postgresql.",
            )
        self.major = int(version[1])
        self._cache = cache
        self._place = cache.directory(f"cluster-{self.major}")
        self._data = self._place / "data"
        self._state = cache.root / f"cluster-{self.major}.json"
        self._users = f"cluster-{self.major}.users"
        self._lock: int | None = None

    # -- being there ---------------------------------------------------------------------------

    def acquire(self) -> None:
        """See that it runs, and keep it running until :meth:`release`."""
        if self._lock is not None:
            return
        self._lock = self._cache.open_lock(self._users, exclusive=False)
        try:
            with self._cache.lock(f"cluster-{self.major}.start"):
                if not self.running():
                    self._start()
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Give it up; whoever is the last stops it."""
        if self._lock is None:
            return
        try:
            if become_only_holder(self._lock):
                self.stop()
        finally:
            os.close(self._lock)
            self._lock = None

    @property
    def made(self) -> bool:
        """Whether there is such a cluster in the cache."""
        return self._state.is_file() and (self._data / "PG_VERSION").exists()

    def stop_if_unused(self) -> None:
        """Stop it after its last user, a server in the background, has ended."""
        self._lock = self._cache.open_lock(self._users, exclusive=False)
        self.release()

    @contextlib.contextmanager
    def lock_for_child(self) -> Iterator[int]:
        """A descriptor to hand to a child, which keeps the cluster running while it lives.

        It is opened for the child alone: one we share would change with ours.
        """
        descriptor = self._cache.open_lock(self._users, exclusive=False)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def running(self) -> bool:
        pid = self._pid()
        if pid is None or not self._state.is_file():
            return False
        try:
            with self.connect("postgres"):
                return True
        except psycopg.OperationalError:
            return False

    def stop(self) -> None:
        """End it, whoever uses it."""
        pid = self._pid()
        if pid is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)  # fast shutdown: open sessions are ended
            if not wait_gone(pid, 20):
                os.kill(pid, signal.SIGQUIT)
                wait_gone(pid, 10)

    # -- talking to it -------------------------------------------------------------------------

    @property
    def port(self) -> int:
        return int(self._read_state()["port"])

    @property
    def password(self) -> str:
        return str(self._read_state()["password"])

    def dsn(self, database: str) -> str:
        """How psycopg reaches a database of the cluster."""
        return (
            f"host=127.0.0.1 port={self.port} user={ROLE} password={self.password} "
            f"dbname={database} connect_timeout=10"
        )

    def connect(self, database: str) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(self.dsn(database), autocommit=True)

    # -- making it -----------------------------------------------------------------------------

    def _read_state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(self._state.read_text(encoding="utf-8"))
        return state

    def _pid(self) -> int | None:
        """The process that serves our data directory, and no other."""
        try:
            pid = int((self._data / "postmaster.pid").read_text(encoding="utf-8").split("\n")[0])
        except (FileNotFoundError, ValueError):
            return None
        return pid if is_running(pid, str(self._data)) else None

    def _start(self) -> None:
        runner = runner_for(self.binaries, self._place)
        if not self._state.is_file() or not (self._data / "PG_VERSION").is_file():
            self._create(runner)
        self.stop()  # one that runs and does not answer
        for _ in range(3):
            port = free_port()
            write_secret(self._state, json.dumps({"port": port, "password": self.password}))
            if self._launch(runner, port):
                return
        log = self._place / "postgresql.log"
        words = log.read_text(encoding="utf-8", errors="replace")[-600:] if log.exists() else ""
        raise NeedsOperator(
            "postgresql",
            f"The sandbox's PostgreSQL did not start. Its log {log} ends with: {words}",
            "odoo-sandbox reset --everything makes it anew.",
        )

    def _launch(self, runner: Runner, port: int) -> bool:
        options = " ".join(f"-c {name}={value}" for name, value in _SETTINGS.items())
        result = subprocess.run(
            runner.command(
                str(self.binaries / "pg_ctl"),
                "start",
                "--wait",
                "--timeout=60",
                f"--pgdata={self._data}",
                f"--log={self._place / 'postgresql.log'}",
                f"--options={options} -c port={port}",
            ),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        return result.returncode == 0 and self.running()

    def _create(self, runner: Runner) -> None:
        password = secrets.token_urlsafe(24)
        secret = self._place / "password"
        secret.write_text(password, encoding="utf-8")
        runner.own(secret, 0o600)
        partial = self._place / "data.partial"
        left_over = runner.command("rm", "-rf", str(partial), str(self._data))
        subprocess.run(left_over, cwd="/", check=True)
        result = subprocess.run(
            runner.command(
                str(self.binaries / "initdb"),
                f"--pgdata={partial}",
                f"--username={ROLE}",
                f"--pwfile={secret}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
            ),
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        secret.unlink()
        if result.returncode != 0:
            raise NeedsOperator(
                "postgresql",
                f"initdb failed: {result.stderr.strip()[-400:]}",
                "Check that the disk has room, or install Debian's package postgresql.",
            )
        write_secret(self._state, json.dumps({"port": 0, "password": password}))
        partial.rename(self._data)
