"""Agent and relay as real processes with Odoo out of reach, and no proxies between them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.stage import SITE
from edge_agent.status import ask
from edge_contract.errors import EdgeError
from edge_sandbox.broker import AGENT_USER, Broker
from edge_sandbox.odoo import OdooDatabase
from edge_sandbox.process import Part
from edge_sandbox.rig import OdooTarget, Relay, free_port, program

#: A site may ask as much as it can.
UNLIMITED = (
    "[limits]\nevents_per_second = 1e9\nevents_at_once = 1000000000\n"
    "requests_per_second = 1e6\nrequests_at_once = 1000000\n"
)


@contextmanager
def relay_alone(folder: Path) -> Iterator[Relay]:
    """A relay whose Odoo refuses every connection."""
    nowhere = OdooDatabase(f"http://127.0.0.1:{free_port()}", "none", "no-key")
    target = OdooTarget(nowhere, "no-key", "nobody", 1, (1,))
    relay = Relay(folder, {"main": target}, {SITE: "main"}, options=UNLIMITED)
    try:
        with relay:
            yield relay
    finally:
        nowhere.close()


class Agent:
    """An agent of one outbox that talks to a relay directly, with or without a broker.

    Used as a context it is started and stopped with it.
    """

    def __init__(
        self, folder: Path, outbox: Path, relay: Relay | None, broker: Broker | None = None
    ) -> None:
        self._socket = folder / "agent.sock"
        sections = [
            f'[site]\nname = "{SITE}"\nagent = "agent-1"',
            f'[outbox]\npath = "{outbox}"\nmax_bytes = {16 << 30}',
            f'[status]\nsocket = "{self._socket}"',
        ]
        if relay is not None:
            token = _secret(folder / "site.token", relay.tokens[SITE])
            sections.append(f'[uplink]\nurl = "{relay.url}"\ntoken_file = "{token}"')
        if broker is not None:
            password = _secret(folder / "mqtt.password", broker.password(AGENT_USER))
            sections.append(
                f'[mqtt]\nhost = "{broker.host}"\nport = {broker.port}\n'
                f'username = "{AGENT_USER}"\npassword_file = "{password}"'
            )
        config = folder / "agent.toml"
        config.write_text("\n".join([*sections, ""]))
        self._part = Part(
            "agent",
            [*program("edge-agent"), "run", "--config", str(config)],
            folder / "agent.log",
            ready=self._answers,
        )

    def __enter__(self) -> Agent:
        self._part.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._part.__exit__(*error)

    @property
    def pid(self) -> int:
        return self._part.pid

    def status(self) -> dict[str, Any]:
        return dict(next(iter(ask(self._socket, "status"))))

    def _answers(self) -> bool:
        try:
            self.status()
        except EdgeError:
            return False
        return True


def _secret(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(text + "\n")
    return path
