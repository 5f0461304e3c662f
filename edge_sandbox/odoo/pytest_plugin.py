"""Fixtures: a real Odoo for the session, and a database of its own for every module."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from edge_sandbox.odoo import OdooDatabase, OdooServer, Sandbox


@pytest.fixture(scope="session")
def odoo_sandbox(pytestconfig: pytest.Config) -> Iterator[Sandbox]:
    """The sandbox, prepared: minutes on a machine that never ran it, a few seconds later."""
    from edge_sandbox.odoo import Sandbox  # unit tests need none of it

    terminal = pytestconfig.pluginmanager.get_plugin("terminalreporter")
    last = ""

    def report(step: str, fraction: float) -> None:
        nonlocal last
        if terminal is not None and step != last:
            last = step
            terminal.write(f"\nodoo-sandbox: {step} ({fraction:.0%}) ")

    with Sandbox(report=report) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def odoo_server(odoo_sandbox: Sandbox) -> Iterator[OdooServer]:
    """One Odoo server for the session; each module has its own database in it."""
    with odoo_sandbox.start() as server:
        yield server


@pytest.fixture(scope="module")
def odoo_db(
    odoo_sandbox: Sandbox, odoo_server: OdooServer, request: pytest.FixtureRequest
) -> Iterator[OdooDatabase]:
    """A new database for this module, with the administrator's key.

    ``odoo_db.stock_user`` is the same database with a mere stock user's key.
    """
    database = odoo_server.clone(label=request.module.__name__.rpartition(".")[2])
    yield database
    database.close()
    odoo_sandbox.drop(database.name)
