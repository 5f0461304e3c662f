"""A whole site on one machine: broker, agents and relay as real processes, with links that fail.

The demo, the end-to-end tests and the benchmarks stand on it. Everything lives in one folder:
configurations, tokens, sockets, stores and logs. A part may be killed and started again at any
time; it finds its port and its files as it left them.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import httpx

from cloud_relay.odoo.install import Installer
from cloud_relay.odoo.json2 import Json2
from edge_agent.status import ask
from edge_contract.errors import EdgeError
from edge_contract.mqtt import AGENT_STATUS_TOPIC
from edge_sandbox.broker import Broker
from edge_sandbox.odoo import OdooDatabase
from edge_sandbox.process import Part
from edge_sandbox.proxy import FaultProxy

AGENT_USER = AGENT_STATUS_TOPIC.split("/")[2]


def program(name: str) -> list[str]:
    """The console script of this installation."""
    return [str(Path(sys.executable).with_name(name))]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], Any], deadline: float, what: str) -> Any:
    """Wait for ``condition`` to answer something true; ``TimeoutError`` says what did not come."""
    end = time.monotonic() + deadline
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise TimeoutError(f"within {deadline:.0f} s there was no {what}")
        time.sleep(0.02)


@dataclass(frozen=True, slots=True)
class OdooTarget:
    """One company of one Odoo database with its warehouses, as the relay sees it."""

    admin: OdooDatabase
    key: str
    """API key of the relay's own user."""
    login: str
    company: int
    warehouses: tuple[int, ...]

    @classmethod
    def main_company(cls, admin: OdooDatabase, key: str, login: str) -> OdooTarget:
        """The first company with its first warehouse."""
        found = admin.call(
            "stock.warehouse", "search_read", domain=[], fields=["company_id"], order="id", limit=1
        )[0]
        return cls(admin, key, login, found["company_id"][0], (found["id"],))


def install_action(target: OdooTarget, source: str | None = None) -> None:
    """Put the server action into the target's database, as ``cloud-relay odoo install`` does."""

    async def work() -> None:
        async with Json2(target.admin.url, target.admin.name, target.admin.key) as odoo:
            await Installer(odoo).install(target.login, source=source)

    asyncio.run(work())


class Relay:
    """A relay in a folder, with a link to Odoo that can fail (``odoo_link``)."""

    def __init__(
        self,
        folder: Path,
        targets: Mapping[str, OdooTarget],
        sites: Mapping[str, str],
        *,
        options: str = "",
        target_options: str = "",
        command: Sequence[str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """``sites``: site → target. ``options`` and ``target_options`` are added to the TOML."""
        self.folder = folder
        self.port = free_port()
        self.tokens = {site: secrets.token_hex(16) for site in sites}
        self.monitor_token = secrets.token_hex(16)
        self.config = folder / "relay.toml"
        self._targets, self._sites = targets, sites
        self._options, self._target_options = options, target_options
        first = next(iter(targets.values())).admin.url
        address = urlsplit(first)
        self.odoo_link = FaultProxy(address.hostname or "127.0.0.1", address.port or 80)
        self.part = Part(
            "relay",
            [*(command or program("cloud-relay")), "run", "--config", str(self.config)],
            folder / "relay.log",
            ready=self._answers,
            environment=environment,
        )
        self._client = httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {self.monitor_token}"}, timeout=30
        )
        self._stack = ExitStack()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Relay:
        self.folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            stack.enter_context(self._client)
            stack.enter_context(self.odoo_link)
            self._write()
            stack.enter_context(self.part)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def get(self, path: str) -> Any:
        """JSON of a GET with the central team's token; ``None`` for 404."""
        reply = self._client.get(path)
        if reply.status_code == 404:
            return None
        reply.raise_for_status()
        return reply.json()

    def event(self, device: str, event: str) -> dict[str, Any] | None:
        """The ladder of one event."""
        found: dict[str, Any] | None = self.get(f"/v1/devices/{device}/events/{event}")
        return found

    def site(self, name: str) -> dict[str, Any]:
        """The lag of one site."""
        sites = self.get("/v1/sites")["sites"]
        found: dict[str, Any] = next(site for site in sites if site["site"] == name)
        return found

    def command(self, *arguments: str) -> Any:
        """Run a ``cloud-relay`` command with ``--json`` and read what it prints."""
        return run_json([*program("cloud-relay"), *arguments], self.config)

    def _answers(self) -> bool:
        try:
            return self._client.get("/v1/health").status_code == 200
        except httpx.TransportError:
            return False

    def _write(self) -> None:
        monitor = _secret(self.folder / "monitor.token", self.monitor_token)
        lines = [
            f'[listen]\nport = {self.port}\n\n[inbox]\npath = "{self.folder}/inbox.db"\n',
            f'[control]\nsocket = "{self.folder}/relay.sock"\n',
            f'[monitor]\ntoken_file = "{monitor}"',
        ]
        for name, target in self._targets.items():
            key = _secret(self.folder / f"{name}.key", target.key)
            lines.append(
                f"\n[targets.{name}]\n"
                f'odoo_url = "http://127.0.0.1:{self.odoo_link.port}"\n'
                f'database = "{target.admin.name}"\nkey_file = "{key}"\n'
                f"company = {target.company}\nwarehouses = {list(target.warehouses)}\n"
                f"{self._target_options}"
            )
        for site, of_target in self._sites.items():
            token = _secret(self.folder / f"{site}.token", self.tokens[site])
            lines.append(f'\n[sites.{site}]\ntoken_file = "{token}"\ntarget = "{of_target}"')
        self.config.write_text("\n".join([*lines, self._options, ""]), encoding="utf-8")


class Agent:
    """An agent in a folder with its broker, and an uplink that can fail (``uplink``)."""

    def __init__(
        self,
        folder: Path,
        relay: Relay,
        site: str,
        name: str,
        devices: Sequence[str],
        *,
        options: str = "",
        uplink_options: str = "",
        broker: Broker | None = None,
        acl: str = "",
        command: Sequence[str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """``options`` are added to the TOML: ``[devices.…]``, ``[outbox]``.
        ``uplink_options`` are added to ``[uplink]``, ``acl`` to the access list of its broker."""
        self.folder, self.site, self.name = folder, site, name
        self.config = folder / "agent.toml"
        self.broker = broker or Broker(devices, directory=folder / "broker", acl=acl)
        self.uplink = FaultProxy("127.0.0.1", relay.port)
        self._own_broker = broker is None
        self._token = relay.tokens[site]
        self._options = options
        self._uplink_options = uplink_options
        self.part = Part(
            f"agent {name}",
            [*(command or program("edge-agent")), "run", "--config", str(self.config)],
            folder / "agent.log",
            ready=self._takes_events,
            environment=environment,
        )
        self._stack = ExitStack()

    def __enter__(self) -> Agent:
        self.folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            if self._own_broker:
                stack.enter_context(self.broker)
            stack.enter_context(self.uplink)
            self._write()
            stack.enter_context(self.part)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def status(self) -> dict[str, Any]:
        """What ``edge-agent status --json`` says, asked over the agent's socket."""
        return dict(next(iter(ask(self.socket, "status"))))

    def stored(self) -> Iterator[dict[str, Any]]:
        """Every event in the outbox with its outcome, asked over the agent's socket."""
        return ask(self.socket, "outbox.export")

    def command(self, *arguments: str) -> Any:
        """Run an ``edge-agent`` command with ``--json`` and read what it prints."""
        return run_json([*program("edge-agent"), *arguments], self.config)

    @property
    def socket(self) -> Path:
        return self.folder / "agent.sock"

    def _takes_events(self) -> bool:
        try:
            links = self.status()["links"]
        except EdgeError:
            return False
        return any(link["kind"] == "mqtt" and link["health"] == "up" for link in links)

    def _write(self) -> None:
        token = _secret(self.folder / "site.token", self._token)
        password = _secret(self.folder / "mqtt.password", self.broker.password(AGENT_USER))
        self.config.write_text(
            f'[site]\nname = "{self.site}"\nagent = "{self.name}"\n\n'
            f'[mqtt]\nhost = "{self.broker.host}"\nport = {self.broker.port}\n'
            f'username = "{AGENT_USER}"\npassword_file = "{password}"\n\n'
            f'[uplink]\nurl = "http://127.0.0.1:{self.uplink.port}"\ntoken_file = "{token}"\n'
            f"heartbeat_s = 1\nretry_max_s = 2\n{self._uplink_options}\n"
            '[status]\nsocket = "agent.sock"\n\n'
            f"{self._outbox()}{self._options}\n",
            encoding="utf-8",
        )

    def _outbox(self) -> str:
        return "" if "[outbox]" in self._options else '[outbox]\npath = "outbox.db"\n\n'


@dataclass(slots=True)
class Rig:
    """One relay and one agent of one site: what most tests need."""

    folder: Path
    target: OdooTarget
    devices: Sequence[str]
    site: str = "hamburg"
    agent_options: str = ""
    uplink_options: str = ""
    relay_options: str = ""
    target_options: str = "straggler_grace_s = 5\n"
    acl: str = ""
    relay: Relay = field(init=False)
    agent: Agent = field(init=False)
    _stack: ExitStack = field(init=False, default_factory=ExitStack)

    def __enter__(self) -> Rig:
        with ExitStack() as stack:
            self.relay = stack.enter_context(
                Relay(
                    self.folder / "relay",
                    {"main": self.target},
                    {self.site: "main"},
                    options=self.relay_options,
                    target_options=self.target_options,
                )
            )
            self.agent = stack.enter_context(
                Agent(
                    self.folder / "agent",
                    self.relay,
                    self.site,
                    "agent-1",
                    self.devices,
                    options=self.agent_options,
                    uplink_options=self.uplink_options,
                    acl=self.acl,
                )
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)


def run_json(command: Sequence[str], config: Path) -> Any:
    """Run one of our commands with ``--json`` and ``--config``; raises with what it said."""
    done = subprocess.run(
        [*command, "--config", str(config), "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=dict(os.environ),
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} exited with {done.returncode}: {done.stderr}")
    return json.loads(done.stdout)


def _secret(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(text + "\n", encoding="utf-8")
    return path
