"""One database for all shifts, with an event loop that outlives each of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from edge_sandbox.odoo import OdooDatabase
    from tests.model.shift_scene import Floor


@pytest.fixture(scope="module")
def floor(odoo_db: OdooDatabase) -> Iterator[Floor]:
    from tests.model.shift_scene import Floor

    with asyncio.Runner() as runner:
        floor = Floor(odoo_db, runner)
        yield floor
        floor.close()
