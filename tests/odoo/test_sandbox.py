"""The sandbox against the real Odoo: copies, their identity, faults, and leaving nothing behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import psycopg
import pytest

from edge_sandbox.odoo import OdooDatabase, OdooFault, OdooServer, Sandbox, background, copies
from edge_sandbox.odoo.running import is_running


def quants(database: OdooDatabase) -> int:
    return int(database.call("stock.quant", "search_count", domain=[]))


def make_location(database: OdooDatabase, name: str) -> int:
    return int(database.call("stock.location", "create", vals_list=[{"name": name}])[0])


def find_location(database: OdooDatabase, name: str) -> list[int]:
    found = database.call("stock.location", "search", domain=[["name", "=", name]])
    return [int(one) for one in found]


def test_a_module_has_a_warehouse_with_lots_packages_and_locations(odoo_db: OdooDatabase) -> None:
    kinds = odoo_db.call("stock.picking.type", "search_read", domain=[], fields=["code"])
    assert {kind["code"] for kind in kinds} >= {"incoming", "outgoing", "internal"}
    for group in (
        "stock.group_production_lot",
        "stock.group_tracking_lot",
        "stock.group_stock_multi_locations",
        "uom.group_uom",
    ):
        user = odoo_db.call("res.users", "search", domain=[["login", "=", "edge"]])
        assert odoo_db.call("res.users", "has_group", ids=user, group_ext_id=group), group
    assert quants(odoo_db) == 0, "there is no demo data"
    assert odoo_db.sql("select count(*) from ir_module_module where state = 'to install'") == [(0,)]


def test_the_stock_user_may_move_stock_and_no_more(odoo_db: OdooDatabase) -> None:
    assert odoo_db.stock_user.call("stock.picking", "search_count", domain=[]) == 0
    with pytest.raises(OdooFault) as refusal:
        odoo_db.stock_user.call("res.users", "create", vals_list=[{"name": "x", "login": "x"}])
    assert refusal.value.status == 403
    assert refusal.value.name == "odoo.exceptions.AccessError"
    assert refusal.value.is_refusal


def test_faults_carry_what_odoo_said(odoo_db: OdooDatabase) -> None:
    with pytest.raises(OdooFault) as wrong_key:
        odoo_db.as_user("0" * 40).call("stock.picking", "search_count", domain=[])
    assert wrong_key.value.status == 401
    with pytest.raises(OdooFault) as no_method:
        odoo_db.call("stock.picking", "no_such_method")
    assert no_method.value.status == 404
    assert not no_method.value.is_refusal


def test_sql_reads_and_cannot_write(odoo_db: OdooDatabase) -> None:
    assert odoo_db.sql("select login from res_users where login = %s", ["edge"]) == [("edge",)]
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        odoo_db.sql("update res_users set login = 'x' where login = 'edge' returning id")


def test_two_copies_share_nothing_and_have_their_own_uuid(
    odoo_db: OdooDatabase, odoo_server: OdooServer, odoo_sandbox: Sandbox
) -> None:
    other = odoo_server.clone("other")
    try:
        make_location(other, "only in the other")
        assert find_location(other, "only in the other")
        assert not find_location(odoo_db, "only in the other")
        assert other.uuid != odoo_db.uuid
        assert (
            other.uuid
            == other.sql("select value from ir_config_parameter where key = 'database.uuid'")[0][0]
        )
    finally:
        other.close()
        odoo_sandbox.drop(other.name)
    gone = odoo_server.database(other.name)
    with pytest.raises(OdooFault):
        gone.call("stock.location", "search_count", domain=[])
    gone.close()


def test_a_restored_backup_is_the_old_state_with_the_same_uuid(
    odoo_db: OdooDatabase, odoo_sandbox: Sandbox
) -> None:
    before = odoo_db.uuid
    backup = odoo_sandbox.backup(odoo_db.name)
    try:
        make_location(odoo_db, "after the backup")
        assert find_location(odoo_db, "after the backup")
        odoo_sandbox.restore(odoo_db.name, backup)
        assert not find_location(odoo_db, "after the backup")
        assert odoo_db.uuid == before
        assert make_location(odoo_db, "and it works on")
    finally:
        odoo_sandbox.drop(backup)


def test_a_staging_copy_in_its_place_has_the_data_and_another_uuid(
    odoo_db: OdooDatabase, odoo_server: OdooServer, odoo_sandbox: Sandbox
) -> None:
    production = odoo_server.clone("production")
    try:
        make_location(production, "made in production")
        before = production.uuid
        odoo_sandbox.replace(production.name, production.name)
        assert find_location(production, "made in production")
        assert production.uuid != before
    finally:
        production.close()
        odoo_sandbox.drop(production.name)


def test_a_killed_server_comes_back_on_its_port_with_what_was_committed(
    odoo_sandbox: Sandbox,
) -> None:
    with odoo_sandbox.start() as server:
        database = server.clone("killed")
        make_location(database, "committed")
        url = server.url
        server.kill()
        assert not server.running
        server.start()
        assert server.url == url
        assert find_location(database, "committed")
        database.close()
        odoo_sandbox.drop(database.name)
    assert not server.running


ABANDON = """
import os, sys
from edge_sandbox.odoo import Sandbox
sandbox = Sandbox()
sandbox.prepare()
sandbox.start()
name = sandbox.clone(label="abandoned")
print(name, flush=True)
sys.stdin.read()
"""


def test_what_a_killed_test_run_left_is_cleared_by_the_next(odoo_sandbox: Sandbox) -> None:
    run = subprocess.Popen(
        [sys.executable, "-c", ABANDON], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with run:
        assert run.stdout is not None
        name = run.stdout.readline().strip()
        tag = f"{run.pid}:"
        owned = [s for s in background.servers(odoo_sandbox.cache) if s.owner.startswith(tag)]
        assert len(owned) == 1
        copies.drop_stale(odoo_sandbox.cluster)
        assert copies.exists(odoo_sandbox.cluster, name), "its owner lives: it must stay"
        run.send_signal(signal.SIGKILL)
    with Sandbox(odoo_sandbox.options):
        assert not copies.exists(odoo_sandbox.cluster, name)
        assert not [s for s in background.servers(odoo_sandbox.cache) if s.owner.startswith(tag)]
        assert not is_running(owned[0].pid)


def test_a_later_start_takes_seconds(odoo_sandbox: Sandbox) -> None:
    begun = time.monotonic()
    with Sandbox(odoo_sandbox.options) as again, again.start() as server:
        database = server.clone("later")
        assert quants(database) == 0
        database.close()
    assert time.monotonic() - begun < 60, "20 s on two idle cores; the rest is for a busy machine"
