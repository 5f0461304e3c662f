"""Odoo restored from a backup, and a staging copy in its place: noticed, stopped, mended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from edge_agent.devices.simulate.handheld import Handheld
from edge_sandbox.odoo import OdooDatabase, Sandbox
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
    done,
    handheld,
    patched,
    settled,
    state_of,
    statuses,
    target_of,
)

SITE = "hamburg"

#: A stopped target is looked at each second instead of every half minute.
LOOKS_OFTEN = """
from cloud_relay.odoo import applying

applying.RECHECK_S = 1.0
"""
#: The relay tells Odoo that it remembers nothing of it.
FORGETS_THE_WATERMARK = """
from cloud_relay.odoo import applier

batch = applier.odoo_batch
applier.odoo_batch = lambda entries, binding, watermark: batch(entries, binding, {})
"""


@pytest.fixture(scope="module")
def floor(odoo_db: OdooDatabase) -> Iterator[Floor]:
    made = Floor(odoo_db.url, odoo_db.name, odoo_db.key, odoo_db.stock_key)
    made.install()
    yield made
    made.close()


@contextmanager
def site(
    folder: Path, database: OdooDatabase, floor: Floor, command: Sequence[str] | None = None
) -> Iterator[tuple[Relay, Agent]]:
    targets, sites = {"main": target_of(database, floor)}, {SITE: "main"}
    relay = Relay(
        folder / "relay",
        targets,
        sites,
        options=MUCH_ASKED,
        target_options=STRICT,
        command=command,
    )
    with relay, Agent(folder / "agent", relay, SITE, "agent-1", ["h1"]) as agent:
        yield relay, agent


def shift(device: Handheld, floor: Floor, shelf: Shelf) -> tuple[list[UUID], str]:
    """A receipt of four scanned and closed, three moves and a count; the ids and the receipt."""
    receipt = floor.transfer("incoming", [(shelf.barcode, 4)])
    events = [
        *(shelf.line(receipt, 2) for _ in range(2)),
        done(receipt),
        *(shelf.move(2) for _ in range(3)),
        shelf.count(90),
    ]
    scans = [device.scan(event) for event in events]
    device.wait_confirmed(LONG)
    return scans, receipt


def restored(sandbox: Sandbox, floor: Floor, backup: str) -> None:
    sandbox.restore(floor.database, backup)
    sandbox.drop(backup)


def test_an_odoo_restored_from_a_backup_is_noticed_and_filled_up_again(
    tmp_path: Path, floor: Floor, odoo_db: OdooDatabase, odoo_sandbox: Sandbox
) -> None:
    shelf = Shelf(floor, 100)
    with site(tmp_path, odoo_db, floor) as (relay, agent), handheld(agent.broker, "h1") as h1:
        began = datetime.now(UTC)
        kept, receipt_kept = shift(h1, floor, shelf)
        settled(relay, "h1", kept)
        receipt = floor.transfer("incoming", [(shelf.barcode, 3)])
        backup = odoo_sandbox.backup(odoo_db.name)
        lost = [h1.scan(shelf.line(receipt, 3)), h1.scan(done(receipt)), h1.scan(shelf.move(5))]
        h1.wait_confirmed(LONG)
        settled(relay, "h1", lost)
        restored(odoo_sandbox, floor, backup)
        assert claims(floor, "h1", lost) == []

        # The next scan is the first to meet the Odoo of yesterday: nothing is applied to it.
        newer = [h1.scan(shelf.move(1))]
        h1.wait_confirmed(LONG)
        until(lambda: state_of(relay)["code"] == "went_back", LONG, "stop")
        (message,) = [text for key, text in alarms(relay).items() if "went_back" in key]
        assert "main" in message
        assert state_of(relay)["remedy"]
        assert statuses(relay, "h1", newer) == {"waiting"}
        assert shelf.moved == 6
        until(lambda: agent.status()["uplink"]["odoo"] == "stopped", LONG, "word to the site")

        # A person says from when on to apply again; earlier than needed is safe.
        with pytest.raises(RuntimeError, match="replay-since"):
            relay.command("targets", "resume", "main")
        answer = relay.command("targets", "resume", "main", "--replay-since", began.isoformat())
        assert answer["requeued"] == len(kept) + len(lost)
        settled(relay, "h1", [*kept, *lost, *newer])
        assert state_of(relay)["state"] == "ok"
        until(lambda: agent.status()["uplink"]["odoo"] == "ok", LONG, "word to the site")
    assert shelf.moved == 6 + 5 + 1
    assert shelf.at(shelf.a) == 90 - 5 - 1
    assert shelf.at(floor.stock_name) == 4 + 3
    assert [floor.document(name)["state"] for name in (receipt_kept, receipt)] == ["done", "done"]
    claimed_once(floor, "h1", [*kept, *lost, *newer])


def test_a_relay_without_a_watermark_loses_what_the_backup_did_not_have(
    tmp_path: Path, floor: Floor, odoo_db: OdooDatabase, odoo_sandbox: Sandbox
) -> None:
    shelf, command = Shelf(floor, 100), patched("cloud-relay", FORGETS_THE_WATERMARK)
    with (
        site(tmp_path, odoo_db, floor, command) as (relay, agent),
        handheld(agent.broker, "h1") as h1,
    ):
        backup = odoo_sandbox.backup(odoo_db.name)
        lost = [h1.scan(shelf.move(5))]
        h1.wait_confirmed(LONG)
        settled(relay, "h1", lost)
        restored(odoo_sandbox, floor, backup)
        newer = [h1.scan(shelf.move(1))]
        h1.wait_confirmed(LONG)
        settled(relay, "h1", newer)
        assert alarms(relay) == {}
    assert shelf.moved == 1
    assert claims(floor, "h1", lost) == []


def test_a_staging_copy_gets_nothing_and_the_real_odoo_goes_on_by_itself(
    tmp_path: Path, floor: Floor, odoo_db: OdooDatabase, odoo_sandbox: Sandbox
) -> None:
    shelf, command = Shelf(floor, 100), patched("cloud-relay", LOOKS_OFTEN)
    with (
        site(tmp_path, odoo_db, floor, command) as (relay, agent),
        handheld(agent.broker, "h1") as h1,
    ):
        first = [h1.scan(shelf.move(1))]
        h1.wait_confirmed(LONG)
        settled(relay, "h1", first)
        real = odoo_sandbox.backup(odoo_db.name)
        odoo_sandbox.replace(odoo_db.name, odoo_db.name)
        scans = [h1.scan(shelf.move(2)) for _ in range(3)]
        h1.wait_confirmed(LONG)  # the floor works on
        until(lambda: state_of(relay)["code"] == "uuid_changed", LONG, "stop")
        (key,) = [key for key in alarms(relay) if "uuid_changed" in key]
        assert statuses(relay, "h1", scans) == {"waiting"}
        assert (shelf.moved, claims(floor, "h1", scans)) == (1, [])
        with pytest.raises(RuntimeError, match="new-database"):
            relay.command("targets", "resume", "main")

        restored(odoo_sandbox, floor, real)
        settled(relay, "h1", scans)
        assert state_of(relay)["state"] == "ok"
        assert shelf.moved == 7
        claimed_once(floor, "h1", [*first, *scans])
        relay.command("alarms", "clear", key)
        assert key not in alarms(relay)
