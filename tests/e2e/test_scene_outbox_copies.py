"""An outbox of yesterday put back, and a host cloned: what was confirmed has its one effect."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from edge_agent.devices.simulate.handheld import Handheld
from edge_sandbox.odoo_floor import Floor
from edge_sandbox.rig import Agent, Relay, until
from tests.e2e.scene_stage import (
    LONG,
    MUCH_ASKED,
    STRICT,
    Shelf,
    alarms,
    claimed_once,
    claims,
    drained,
    handheld,
    patched,
    settled,
    target_of,
)

SITE, DEVICES = "hamburg", ["h1", "h2"]

#: The agent believes that whatever the relay has of the generation is what stands here.
TRUSTS_STORED_THROUGH = """
from edge_agent.sync import uplink_driver
from edge_contract.batch import HeartbeatReply

ask = uplink_driver.UplinkDriver._ask

async def trusting(self, call):
    reply = await ask(self, call)
    if isinstance(reply, HeartbeatReply):
        await self._store.mark_relayed(range(1, reply.stored_through + 1))
    return reply

uplink_driver.UplinkDriver._ask = trusting
"""


@pytest.fixture(scope="module")
def floor(odoo_db: Any) -> Iterator[Floor]:
    made = Floor(odoo_db.url, odoo_db.name, odoo_db.key, odoo_db.stock_key)
    made.install()
    yield made
    made.close()


@pytest.fixture(scope="module")
def relay(odoo_db: Any, floor: Floor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    folder = tmp_path_factory.mktemp("relay")
    targets, sites = {"main": target_of(odoo_db, floor)}, {SITE: "main"}
    with Relay(folder, targets, sites, options=MUCH_ASKED, target_options=STRICT) as made:
        yield made


def work(device: Handheld, shelf: Shelf, times: int) -> list[UUID]:
    """Scan so many moves and stay until each is confirmed."""
    scans = [device.scan(shelf.move()) for _ in range(times)]
    device.wait_confirmed(LONG)
    return scans


def files(agent: Agent) -> list[Path]:
    """The outbox and what lies beside it; its journal is gone once the agent has ended."""
    return [path for path in agent.folder.glob("outbox.db*") if "-" not in path.name]


def yesterdays_copy(agent: Agent, shelf: Shelf) -> tuple[list[UUID], list[UUID]]:
    """A copy taken after 10 scans is put back after 20 more; then come 40 with no uplink.

    The ids before and after the copy was put back.
    """
    with handheld(agent.broker, "h1") as device:
        before = work(device, shelf, 10)
        drained(agent)
        agent.part.stop()
        copies = {path: path.read_bytes() for path in files(agent)}
        agent.part.start()
        before += work(device, shelf, 20)
        drained(agent)
        agent.part.stop()
        for path, content in copies.items():
            path.write_bytes(content)  # in place, so that nothing on the host gives it away
        agent.uplink.set("cut")
        agent.part.start()
        after = work(device, shelf, 40)
        agent.uplink.set("pass")
        drained(agent)
    return before, after


def test_yesterdays_outbox_loses_nothing_doubles_nothing_and_says_so(
    tmp_path: Path, relay: Relay, floor: Floor
) -> None:
    shelf = Shelf(floor)
    with Agent(tmp_path, relay, SITE, "agent-old", DEVICES) as agent:
        generation = agent.status()["outbox"]["generation"]
        before, after = yesterdays_copy(agent, shelf)
        settled(relay, "h1", [*before, *after])
        shown = agent.status()
        assert shown["outbox"]["generation"] != generation
        assert shown["counters"]["outbox.renewals"] >= 1
        assert "New outbox generation" in agent.part.log.read_text()

        def told() -> bool:
            heard = {row["agent"]: row for row in relay.site(SITE)["agents"]}
            return int(heard["agent-old"]["counters"].get("outbox.renewals", 0)) >= 1

        until(told, LONG, "renewal at the central team")
    assert shelf.moved == 70
    claimed_once(floor, "h1", [*before, *after])


def test_an_agent_that_believes_the_relays_position_loses_scans_of_yesterdays_outbox(
    tmp_path: Path, relay: Relay, floor: Floor
) -> None:
    shelf = Shelf(floor)
    command = patched("edge-agent", TRUSTS_STORED_THROUGH)
    with Agent(tmp_path, relay, SITE, "agent-broken", DEVICES, command=command) as agent:
        before, after = yesterdays_copy(agent, shelf)
        settled(relay, "h1", [*before, after[-1]])
    lost = len(after) - len(claims(floor, "h1", after))
    assert lost >= 10
    assert shelf.moved == 70 - lost


def test_of_two_live_hosts_with_one_identity_one_is_stopped_and_nothing_is_lost(
    tmp_path: Path, relay: Relay, floor: Floor
) -> None:
    shelf = Shelf(floor)
    with (
        Agent(tmp_path / "a", relay, SITE, "agent-twin", DEVICES) as first,
        handheld(first.broker, "h1") as device,
    ):
        scans = work(device, shelf, 5)
        drained(first)
        first.part.stop()
        clone = Agent(tmp_path / "b", relay, SITE, "agent-twin", DEVICES)
        clone.folder.mkdir()
        for path in files(first):
            shutil.copy2(path, clone.folder)
        first.part.start()
        with clone, handheld(clone.broker, "h2") as other:
            # Both floors work on, whoever is told to stop sending.
            others = work(other, shelf, 5)
            scans += work(device, shelf, 5)

            def stopped() -> list[Agent]:
                return [a for a in (first, clone) if a.status()["uplink"]["stopped"]]

            (silenced,) = until(stopped, LONG, "word to stop")
            assert "agent-twin" in silenced.status()["uplink"]["stopped"]
            keeper = clone if silenced is first else first
            assert keeper.status()["uplink"]["stopped"] is None
            (message,) = [text for key, text in alarms(relay).items() if "twin" in key]
            assert "Two hosts" in message
            others += work(other, shelf, 5)
            scans += work(device, shelf, 5)
            assert silenced.status()["outbox"]["unrelayed"] >= 5
            assert silenced.status()["intake"]["state"] == "open"
            # A person ends the one that may go on; the other one takes over after a restart.
            drained(keeper)
            keeper.part.stop()
            silenced.part.stop()
            silenced.part.start()
            drained(silenced)
            settled(relay, "h1", scans)
            settled(relay, "h2", others)
            assert silenced.status()["uplink"]["stopped"] is None
    assert shelf.moved == len(scans) + len(others) == 25
    claimed_once(floor, "h1", scans)
    claimed_once(floor, "h2", others)
