"""``odoo-sandbox`` as somebody types it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from edge_sandbox.odoo import OdooDatabase, Sandbox, copies

NAME = "sandbox_cli_test"


def run(*words: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        [sys.executable, "-m", "edge_sandbox.odoo.cli", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert result.returncode == status, result.stderr
    return result


def run_json(*words: str) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(run(*words, "--json").stdout)
    return shown


def test_up_down_status_and_reset_of_one_database(odoo_sandbox: Sandbox) -> None:
    try:
        shown = run_json("up", "--db", NAME)
        odoo = OdooDatabase(
            shown["url"],
            NAME,
            shown["admin_key"],
            stock_key=shown["stock_key"],
            dsn=shown["sql"],
        )
        made = odoo.call("stock.location", "create", vals_list=[{"name": "kept"}])
        assert odoo.stock_user.call("stock.picking", "search_count", domain=[]) == 0
        assert odoo.uuid == shown["database_uuid"]

        again = run_json("up", "--db", NAME)
        assert (again["url"], again["pid"]) == (shown["url"], shown["pid"]), "it runs already"

        servers = run_json("status")["servers"]
        assert [s["pid"] for s in servers if s["database"] == NAME] == [shown["pid"]]
        assert "admin_key" not in str(servers)

        assert run_json("down", "--db", NAME) == {"stopped": [NAME]}
        assert not [s for s in run_json("status")["servers"] if s["database"] == NAME]

        after = run_json("up", "--db", NAME)
        kept = OdooDatabase(after["url"], NAME, after["admin_key"])
        found = kept.call("stock.location", "search", domain=[["name", "=", "kept"]])
        assert found == made, "down keeps the database"

        assert run_json("reset", "--db", NAME)["dropped"] == [NAME]
        assert not copies.exists(odoo_sandbox.cluster, NAME)
        odoo.close()
        kept.close()
    finally:
        run("reset", "--db", NAME)


def test_an_odoo_of_ones_own_is_examined(odoo_db: OdooDatabase) -> None:
    bare = run("up", "--odoo-url", odoo_db.url, status=2).stdout
    assert "--odoo-db NAME" in bare
    assert "ODOO_KEY" in bare
    complete = run(
        "up",
        "--odoo-url",
        odoo_db.url,
        "--odoo-db",
        odoo_db.name,
        "--odoo-key",
        odoo_db.stock_key,
    ).stdout
    assert "can be used" in complete
    refused = run(
        "up", "--odoo-url", odoo_db.url, "--odoo-db", odoo_db.name, "--odoo-key", "0" * 40, status=2
    ).stdout
    assert "A valid key" in refused


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("up", "--odoo-url", "http://127.0.0.1:9"), "No Odoo answers at http://127.0.0.1:9"),
        (("up", "--db", "Not A Name"), "lower-case letters"),
        (("up", "--source", "/nowhere", "--version", "18"), "has no odoo/release.py"),
        (("up", "--deb", "/nowhere.deb"), "There is no file /nowhere.deb"),
        (("down", "--nonsense"), "No such option"),
    ],
)
def test_a_mistake_gets_one_sentence_and_status_two(words: tuple[str, ...], says: str) -> None:
    assert says in run(*words, status=2).stderr
