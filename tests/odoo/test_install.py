"""Installing, checking and removing the relay's part of Odoo, through the API alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from cloud_relay.odoo.check import check
from cloud_relay.odoo.commands import odoo_app
from cloud_relay.odoo.install import Installer
from cloud_relay.odoo.port import Binding
from cloud_relay.odoo.source import action_source
from edge_contract.errors import NeedsOperator
from edge_sandbox.odoo_floor import Floor, line

if TYPE_CHECKING:
    from edge_sandbox.odoo import OdooDatabase


@pytest.fixture(scope="module")
def floor(odoo_db: OdooDatabase) -> Iterator[Floor]:
    floor = Floor(odoo_db.url, odoo_db.name, odoo_db.key, odoo_db.stock_key)
    yield floor
    floor.close()


@pytest.fixture
def ready(floor: Floor) -> Floor:
    """Installed, which takes seconds, only where the test before left it otherwise."""
    try:
        floor.apply()
    except NeedsOperator:
        floor.install()
    return floor


#: Tables that grow by themselves, whoever asks Odoo for whatever.
ALIVE = {"ir_logging", "bus_bus", "ir_profile", "res_users_log", "res_device_log", "bus_presence"}


def everything(db: OdooDatabase) -> dict[str, Any]:
    """Every table, column, index and constraint, and the ids of every row of every table."""
    found: dict[str, Any] = {}
    for name, query in {
        "columns": "SELECT table_name, column_name FROM information_schema.columns "
        "WHERE table_schema = 'public'",
        "indices": "SELECT indexname FROM pg_indexes WHERE schemaname = 'public'",
        "constraints": "SELECT conname FROM pg_constraint",
        "sequences": "SELECT sequencename FROM pg_sequences WHERE schemaname = 'public'",
    }.items():
        found[name] = set(db.sql(query))
    counted = db.sql(
        "SELECT tablename, (xpath('/row/n/text()', query_to_xml(format("
        "'SELECT count(*) AS n FROM %I', tablename), false, true, '')))[1]::text::int "
        "FROM pg_tables WHERE schemaname = 'public'"
    )
    found |= {f"rows of {table}": rows for table, rows in counted if table not in ALIVE}
    found["parameters"] = set(db.sql("SELECT key, value FROM ir_config_parameter"))
    found["groups of users"] = set(db.sql("SELECT gid, uid FROM res_groups_users_rel"))
    return found


def difference(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for name in before.keys() | after.keys():
        was, now = before.get(name), after.get(name)
        if was != now:
            found[name] = now - was | was - now if isinstance(was, set) else (was, now)
    return found


def test_removing_leaves_no_trace(floor: Floor, odoo_db: OdooDatabase) -> None:
    before = everything(odoo_db)
    floor.install()
    floor.install()
    screw = floor.product()
    receipt = floor.transfer("incoming", [(screw, 5)])
    with_goods = everything(odoo_db)
    assert [r.status for r in floor.apply(line(receipt, screw, 2))] == ["applied"]
    parameter = {"key": "warehouse_edge.horizon", "value": "2020-01-01 00:00:00"}
    floor.call("ir.config_parameter", "create", vals_list=[parameter])
    installed = difference(before, everything(odoo_db))
    assert installed, "the comparison sees an installation"

    removed = floor.wait(Installer(floor.admin).remove())

    assert {"x_edge_event", "x_edge_effect", "warehouse_edge.action_relay"} <= set(removed)
    left = difference(before, everything(odoo_db))
    by_the_test = difference(before, with_goods).keys()
    assert {name: what for name, what in left.items() if "edge" in str(what)} == {}
    assert {name for name in left if not name.startswith("rows of ")} == set()
    # What is left are the test's product and transfer, and the second scan line of the transfer.
    assert left.keys() - by_the_test <= {"rows of stock_move_line"}
    assert floor.wait(Installer(floor.admin).remove()) == []


def test_a_second_run_updates_what_is_there(floor: Floor) -> None:
    first = floor.wait(Installer(floor.admin).install("edge"))
    changed = action_source() + "# changed\n"
    second = floor.wait(Installer(floor.admin).install("edge", source=changed))

    assert second.created == ()
    assert (second.action, second.group) == (first.action, first.group)
    assert second.digest != first.digest
    [row] = floor.call("ir.actions.server", "read", ids=[second.action], fields=["code"])
    assert row["code"].strip() == changed.strip()


def test_the_stock_user_may_run_and_read_but_not_change(ready: Floor) -> None:
    floor = ready
    assert floor.apply() == []
    rights = {
        model: {
            right: floor.wait(floor.gateway.call(model, "has_access", ids=[], operation=right))
            for right in ("read", "write", "create", "unlink")
        }
        for model in ("x_edge_event", "x_edge_effect", "ir.actions.server")
    }

    only_read = {"read": True, "write": False, "create": False, "unlink": False}
    assert rights["x_edge_event"] == rights["x_edge_effect"] == only_read
    assert not any(rights["ir.actions.server"].values())


def test_a_user_outside_the_group_may_not_run_it(ready: Floor) -> None:
    floor = ready
    [group] = floor.call(
        "ir.model.data",
        "search_read",
        domain=[["module", "=", "warehouse_edge"], ["name", "=", "group_relay"]],
        fields=["res_id"],
    )
    floor.call("res.groups", "write", ids=[group["res_id"]], vals={"user_ids": [[5]]})

    with pytest.raises(NeedsOperator) as stopped:
        floor.apply()

    assert stopped.value.code in ("no_rights", "not_installed")
    floor.install()
    assert floor.apply() == []


def test_users_see_which_scans_made_a_transfer(ready: Floor) -> None:
    floor = ready
    screw = floor.product()
    receipt = floor.transfer("incoming", [(screw, 5)])
    floor.apply(line(receipt, screw, 2))

    seen = floor.wait(
        floor.gateway.call(
            "x_edge_event",
            "search_read",
            domain=[["x_picking_id.name", "=", receipt]],
            fields=["x_device", "x_kind", "x_occurred"],
        )
    )

    assert [(row["x_device"], row["x_kind"]) for row in seen] == [("handheld-1", "transfer.line")]
    menus = floor.call("ir.ui.menu", "search", domain=[["name", "=", "Scans from the floor"]])
    assert len(menus) == 1
    view = floor.call("x_edge_event", "get_views", views=[[False, "list"], [False, "search"]])
    assert "x_picking_id" in view["views"]["list"]["arch"]


def test_a_user_without_the_inventory_is_refused(floor: Floor) -> None:
    floor.call("res.users", "create", vals_list=[{"name": "Nobody", "login": "nobody"}])

    for login, sentence in (("nobody", "inventory"), ("ghost", "no user")):
        with pytest.raises(NeedsOperator, match=sentence) as stopped:
            floor.wait(Installer(floor.admin).install(login))
        assert stopped.value.code == "no_user"


def levels(floor: Floor, binding: Binding | None = None, uuid: str = "") -> dict[str, str]:
    findings = floor.wait(check(floor.gateway, binding or floor.binding, uuid, datetime.now(UTC)))
    assert [f for f in findings if not f.message.endswith(".")] == []
    assert all(f.remedy for f in findings if f.level != "ok")
    return {finding.what: finding.level for finding in findings}


def test_the_check_finds_what_is_wrong(ready: Floor, odoo_db: OdooDatabase) -> None:
    floor = ready
    fine = levels(floor, uuid=odoo_db.uuid)
    assert set(fine.values()) == {"ok"}
    assert fine.keys() >= {"version", "key", "expiry", "action", "database", "rights", "binding"}

    elsewhere = Binding(company=floor.company, warehouses=(999,))
    assert levels(floor, elsewhere)["binding"] == "problem"
    assert levels(floor, Binding(company=999, warehouses=()))["binding"] == "problem"
    assert levels(floor, uuid="another")["action"] == "problem"

    floor.wait(Installer(floor.admin).install("edge", source=action_source() + "# edited\n"))
    assert levels(floor)["action"] == "problem"

    floor.wait(Installer(floor.admin).remove())
    assert levels(floor)["action"] == "problem"


def test_the_commands(floor: Floor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    admin, relay = tmp_path / "admin.key", tmp_path / "relay.key"
    admin.write_text(floor.admin_key + "\n")
    relay.write_text(floor.stock_key)
    run = CliRunner()
    where = ["--url", floor.url, "--db", floor.database]

    made = run.invoke(
        odoo_app, ["install", *where, "--user", "edge", "--admin-key-file", str(admin), "--json"]
    )
    checked = run.invoke(odoo_app, ["check", *where, "--key-file", str(relay), "--json"])
    monkeypatch.setenv("ODOO_ADMIN_KEY", floor.admin_key)
    gone = run.invoke(odoo_app, ["remove", *where, "--yes", "--json"])
    missing = run.invoke(odoo_app, ["check", *where, "--key-file", str(relay)])
    refused = run.invoke(
        odoo_app, ["install", *where, "--user", "ghost", "--admin-key-file", str(admin)]
    )

    assert made.exit_code == 0, made.output
    assert json.loads(made.output)["action"] > 0
    assert {f["level"] for f in json.loads(checked.output)} == {"ok"}
    assert "x_edge_event" in json.loads(gone.output)["removed"]
    assert missing.exit_code == 1
    assert "cloud-relay odoo install" in missing.output
    assert refused.exit_code == 1
    assert "Error: Odoo has no user with the login ghost." in refused.output
    for answer in (made, checked, gone, missing, refused):
        assert floor.admin_key not in answer.output
        assert floor.stock_key not in answer.output
