"""A real Mosquitto of one's own: for tests and the demo, configured as a site's broker should be.

A broker is not storage, so this one is set up to lose as little as it can (it saves on changes)
and offers to be killed, restarted, made forgetful or made small. Each device has a user of its
own, and the access list ties the ``{device}`` of a topic to that user.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType

from edge_contract.errors import NeedsOperator

#: The user name of the agent itself; the contract reserves it as a device name.
AGENT_USER = "agent"

_ACL = """\
pattern write wh/v1/%u/event
pattern write wh/v1/%u/status
pattern read wh/v1/%u/feedback
pattern read wh/v1/agent/status

user agent
topic read wh/v1/+/event
topic read wh/v1/+/status
topic write wh/v1/+/feedback
topic write wh/v1/agent/status
"""


def find_mosquitto() -> str | None:
    """Path of the ``mosquitto`` program, which Debian keeps outside an ordinary user's PATH."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def ensure_mosquitto() -> str:
    """Path of the ``mosquitto`` program; installs Debian's package when root and it is missing.

    The package would start and enable a service on port 1883: both are prevented. Raises
    :class:`NeedsOperator` when it is missing and cannot be installed.
    """
    found = find_mosquitto()
    if found:
        return found
    remedy = "Run 'apt-get install mosquitto' as root, or start this again as root."
    if os.getuid() != 0 or shutil.which("apt-get") is None:
        raise NeedsOperator("no_mosquitto", "The MQTT broker Mosquitto is not installed.", remedy)
    with _no_service_starts():
        done = _apt("install", "-y", "--no-install-recommends", "mosquitto")
        if done.returncode:  # the package lists may be missing or old
            _apt("update")
            done = _apt("install", "-y", "--no-install-recommends", "mosquitto")
    if shutil.which("systemctl"):
        subprocess.run(["systemctl", "disable", "mosquitto"], capture_output=True, check=False)
    found = find_mosquitto()
    if done.returncode or not found:
        last = done.stderr.strip().splitlines()[-1:] or ["apt-get gave no reason"]
        raise NeedsOperator(
            "no_mosquitto", f"Mosquitto could not be installed: {last[0]}.", "Install it by hand."
        )
    return found


def _apt(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(
        ["apt-get", "-q", *arguments], capture_output=True, text=True, env=environment, check=False
    )


@contextlib.contextmanager
def _no_service_starts() -> Iterator[None]:
    """Let Debian's packages install without starting their services (invoke-rc.d's policy)."""
    policy = Path("/usr/sbin/policy-rc.d")
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink(missing_ok=True)


def _password_line(user: str, password: str) -> str:
    """One line of Mosquitto's password file: PBKDF2 with SHA-512, 101 rounds, as it writes them."""
    salt = secrets.token_bytes(12)
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 101)
    text = base64.b64encode
    return f"{user}:$7$101${text(salt).decode()}${text(key).decode()}\n"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _memory_directory() -> Path:
    memory = Path("/dev/shm")
    base = memory if memory.is_dir() and os.access(memory, os.W_OK) else None
    return Path(tempfile.mkdtemp(prefix="edge-broker-", dir=base))


class Broker:
    """Mosquitto on a free port of 127.0.0.1, with persistence, users and an access list.

    Unless a ``directory`` is given it keeps its store in memory (``/dev/shm``), where it survives
    the process and not the machine: it is written as a whole after each change, and a disk would
    make that the slowest part of every test. ``autosave_changes`` is after how many changes it is
    written: 1 keeps what the broker acknowledged through ``kill -9``; a larger number is faster
    and forgets. ``max_queued`` is how many messages it keeps for a client before it drops silently,
    as Mosquitto does. With a ``certificate`` (and its key) there is a second listener with TLS at
    :attr:`tls_port`. ``acl`` is added to the access list, for devices with topics of their own.
    """

    def __init__(
        self,
        devices: Iterable[str] = (),
        *,
        max_queued: int = 100_000,
        max_inflight: int = 1000,
        autosave_changes: int = 1,
        message_size_limit: int = 16 * 1024 * 1024,
        certificate: tuple[Path, Path] | None = None,
        acl: str = "",
        directory: Path | None = None,
        port: int | None = None,
    ) -> None:
        self.host = "127.0.0.1"
        self.port = port or 0
        self.tls_port = 0
        self._certificate = certificate
        self._acl = _ACL + acl
        self._fixed_port = port is not None
        self._given = directory
        self._directory = Path()
        self._passwords = {name: secrets.token_urlsafe(12) for name in (AGENT_USER, *devices)}
        self._process: subprocess.Popen[bytes] | None = None
        self._options = (
            f"max_queued_messages {max_queued}\n"
            "max_queued_bytes 0\n"
            f"max_inflight_messages {max_inflight}\n"
            f"message_size_limit {message_size_limit}\n"
            f"autosave_interval {autosave_changes}\n"
        )

    def __enter__(self) -> Broker:
        program = ensure_mosquitto()
        self._directory = self._given or _memory_directory()
        self._directory.mkdir(parents=True, exist_ok=True)
        self._write_users()
        for attempt in range(5):
            if not self._fixed_port:
                self.port = _free_port()
            if self._certificate is not None:
                self.tls_port = _free_port()
            self._write_configuration()
            try:
                self._start(program)
            except RuntimeError:  # somebody may have taken the free port meanwhile
                if self._fixed_port or attempt == 4:
                    self.__exit__(None, None, None)
                    raise
            else:
                break
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        if self._given is None:
            shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def log(self) -> str:
        """What the broker wrote so far."""
        path = self._directory / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def password(self, user: str) -> str:
        """The password of a device (or of ``agent``); a device not known yet is let in."""
        if user not in self._passwords:
            self._passwords[user] = secrets.token_urlsafe(12)
            self._write_users()
            if self._process is not None:
                self._process.send_signal(signal.SIGHUP)
                self._await_line("Reloading config", self.log.count("Reloading config") + 1)
        return self._passwords[user]

    def kill(self) -> None:
        """``kill -9``: what was not saved is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """End it in order."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)  # it may have been paused by a test
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def start(self) -> None:
        """Start again on the same port, with what the store kept."""
        if self._process is None:
            self._start(ensure_mosquitto())

    def restart(self, *, lose_sessions: bool = False) -> None:
        """Kill and start again. With ``lose_sessions`` its store is gone, as after a lost disk."""
        self.kill()
        if lose_sessions:
            (self._directory / "mosquitto.db").unlink(missing_ok=True)
        self.start()

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nothing is answered."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def _write_users(self) -> None:
        lines = "".join(_password_line(user, word) for user, word in self._passwords.items())
        for name, text in (("passwords", lines), ("acl", self._acl)):
            path = self._directory / name
            path.touch(mode=0o600)
            path.write_text(text)

    def _write_configuration(self) -> None:
        user = pwd.getpwuid(os.getuid()).pw_name
        (self._directory / "mosquitto.conf").write_text(
            f"user {user}\n"
            f"listener {self.port} {self.host}\n"
            f"{self._tls_listener()}"
            "allow_anonymous false\n"
            f"password_file {self._directory}/passwords\n"
            f"acl_file {self._directory}/acl\n"
            "persistence true\n"
            f"persistence_location {self._directory}/\n"
            "autosave_on_changes true\n"
            f"{self._options}"
            f"log_dest file {self._directory}/log\n"
        )

    def _tls_listener(self) -> str:
        if self._certificate is None:
            return ""
        certificate, key = self._certificate
        return f"listener {self.tls_port} {self.host}\ncertfile {certificate}\nkeyfile {key}\n"

    def _start(self, program: str) -> None:
        self._process = subprocess.Popen(
            [program, "-c", str(self._directory / "mosquitto.conf")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                self._process = None
                raise RuntimeError(f"Mosquitto did not start: {self.log[-500:]}")
            with contextlib.suppress(OSError), socket.create_connection((self.host, self.port), 1):
                return
            time.sleep(0.02)
        self.kill()
        raise RuntimeError(f"Mosquitto did not listen within 10 s: {self.log[-500:]}")

    def _await_line(self, text: str, count: int) -> None:
        deadline = time.monotonic() + 5
        while self.log.count(text) < count and time.monotonic() < deadline:
            time.sleep(0.02)
