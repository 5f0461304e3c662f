"""A campaign put together: on the counting double, or on a real Odoo."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from edge_sandbox.chaos.books import CountedBooks
from edge_sandbox.chaos.campaign import Campaign
from edge_sandbox.chaos.odoo_books import OdooBooks
from edge_sandbox.chaos.shift import NoWorld
from edge_sandbox.chaos.site import Site, no_odoo
from edge_sandbox.odoo import OdooDatabase
from edge_sandbox.odoo_floor import RELAY_LOGIN, Floor
from edge_sandbox.rig import OdooTarget

Calls = Sequence[Sequence[str]]


@contextmanager
def counted(
    folder: Path,
    *,
    claims: bool = True,
    before_agent: Calls = (),
    before_relay: Calls = (),
    deadline: float = 30.0,
) -> Iterator[Campaign]:
    """On the double. ``claims``, ``before_agent`` and ``before_relay`` are for broken variants."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "effects.db"
    counting = ("edge_sandbox.chaos.books:count_in", str(file), "yes" if claims else "no")
    with (
        closing(CountedBooks(file)) as books,
        Site(folder, no_odoo(), before_agent, [counting, *before_relay]) as site,
    ):
        yield Campaign(site, books, NoWorld(), deadline=deadline)


@contextmanager
def in_odoo(folder: Path, database: OdooDatabase, *, deadline: float = 60.0) -> Iterator[Campaign]:
    """On a database of the sandbox, which gets the server action and goods of its own."""
    floor = Floor(database.url, database.name, database.key, database.stock_key)
    with closing(floor):
        floor.install()
        key, warehouses = database.stock_key, (floor.warehouse,)
        target = OdooTarget(database, key, RELAY_LOGIN, floor.company, warehouses)
        books = OdooBooks(floor)
        with Site(folder, target) as site:
            yield Campaign(site, books, books, deadline=deadline)
