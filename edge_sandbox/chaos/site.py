"""The site of a campaign: a real Mosquitto, agent and relay that can be armed, one handheld."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal

from edge_agent.devices.simulate.handheld import Handheld
from edge_sandbox.broker import Broker
from edge_sandbox.chaos.forked import Forked
from edge_sandbox.odoo import OdooDatabase
from edge_sandbox.rig import Agent, OdooTarget, Relay

Process = Literal["agent", "relay"]
SITE, DEVICE = "hamburg", "handheld-1"

#: The campaign asks for every event's ladder.
_MUCH_ASKED = "[limits]\nrequests_per_second = 5000\nrequests_at_once = 5000\n"
_TARGET = "straggler_grace_s = 0\nstraggler_limit_s = 0\ntimeout_s = 20\n"
#: Seconds until the handheld loses patience: what is confirmed must not depend on luck.
_PATIENCE_S = 0.4


def no_odoo() -> OdooTarget:
    """A target that is never called, for a relay that applies to the counting double."""
    nowhere = OdooDatabase("http://127.0.0.1:9", "none", "no-administrator")
    return OdooTarget(nowhere, "a-key-that-nobody-asks-for", "edge", 1, (1,))


class _Agent(Agent):
    """Impatient, so that a recovery is not a measurement of backoff."""

    def _write(self) -> None:
        super()._write()
        text = self.config.read_text(encoding="utf-8")
        quick = "retry_first_s = 0.05\nretry_max_s = 0.3\n"
        self.config.write_text(text.replace("retry_max_s = 2\n", quick), encoding="utf-8")


@dataclass(slots=True)
class Site:
    """A context manager; ``before`` are calls that a process makes before it runs."""

    folder: Path
    target: OdooTarget
    before_agent: Sequence[Sequence[str]] = ()
    before_relay: Sequence[Sequence[str]] = ()
    broker: Broker = field(init=False)
    relay: Relay = field(init=False)
    agent: Agent = field(init=False)
    handheld: Handheld = field(init=False)
    parts: dict[Process, Forked] = field(init=False)
    _stack: ExitStack = field(init=False, default_factory=ExitStack)

    def __enter__(self) -> Site:
        with ExitStack() as stack:
            self.broker = stack.enter_context(Broker([DEVICE]))
            self.relay = Relay(
                self.folder / "relay",
                {"main": self.target},
                {SITE: "main"},
                options=_MUCH_ASKED,
                target_options=_TARGET,
            )
            relay = Forked.instead_of(self.relay.part, self.before_relay)
            self.relay.part = relay
            stack.enter_context(self.relay)
            self.agent = _Agent(
                self.folder / "agent", self.relay, SITE, "agent-1", [DEVICE], broker=self.broker
            )
            agent = Forked.instead_of(self.agent.part, self.before_agent)
            self.agent.part = agent
            stack.enter_context(self.agent)
            self.parts = {"agent": agent, "relay": relay}
            self.handheld = stack.enter_context(
                Handheld(
                    DEVICE,
                    self.broker.host,
                    self.broker.port,
                    password=self.broker.password(DEVICE),
                    resend_after_s=_PATIENCE_S,
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
