"""A warehouse floor on a real Odoo, for tests: goods, places, transfers, and events on them.

Everything an administrator would set up goes through the administrator's key; every event goes
through the product's own gateway with the stock user's key. ``source`` lets a test install a broken
action.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cloud_relay.odoo.gateway import Json2Gateway
from cloud_relay.odoo.install import Installer
from cloud_relay.odoo.json2 import Json2
from cloud_relay.odoo.port import Binding, OdooBatch, OdooEvent, OdooResult
from cloud_relay.odoo.schema import ACTION_KEY
from cloud_relay.odoo.source import action_source

#: The stock user of the sandbox.
RELAY_LOGIN = "edge"

_numbers = itertools.count(1)


def odoo_time(moment: datetime) -> str:
    """UTC as Odoo writes it, with microseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def event(
    kind: str,
    data: dict[str, Any],
    *,
    device: str = "handheld-1",
    uid: str | None = None,
    at: datetime | None = None,
) -> OdooEvent:
    """An event as the relay hands it to Odoo, happening now unless ``at`` is given."""
    happened = at or datetime.now(UTC)
    text = json.dumps([kind, data], sort_keys=True)
    return OdooEvent(
        key=f"{device}|{uid or uuid.uuid4()}",
        digest=hashlib.sha256(text.encode()).hexdigest(),
        kind=kind,
        device=device,
        site="site-1",
        occurred=odoo_time(happened),
        recorded=odoo_time(happened),
        data=data,
    )


def line(document: str, barcode: str, quantity: float | str, **fields: Any) -> OdooEvent:
    """A ``transfer.line``; ``source`` and ``destination`` stand for ``from`` and ``to``."""
    about = {name: fields.pop(name) for name in ("device", "uid", "at") if name in fields}
    data: dict[str, Any] = {"document": document, "barcode": barcode, "quantity": str(quantity)}
    renamed = {"source": "from", "destination": "to"}
    data |= {renamed.get(name, name): value for name, value in fields.items()}
    return event("transfer.line", data, **about)


def done(document: str, backorder: str = "create", **fields: Any) -> OdooEvent:
    """A ``transfer.done``."""
    about = {name: fields.pop(name) for name in ("device", "uid", "at") if name in fields}
    data = {"document": document, "backorder": backorder} | fields
    return event("transfer.done", data, **about)


class Floor:
    """One database, with an administrator and the relay's user."""

    def __init__(self, url: str, database: str, admin_key: str, stock_key: str) -> None:
        self.url, self.database = url, database
        self.admin_key, self.stock_key = admin_key, stock_key
        self._runner = asyncio.Runner()
        self.admin = Json2(url, database, admin_key)
        self.source = action_source()
        self.gateway = Json2Gateway(url, database, stock_key, source=self.source)
        [warehouse] = self.call(
            "stock.warehouse",
            "search_read",
            domain=[],
            fields=["company_id", "code", "lot_stock_id", "view_location_id"],
            limit=1,
            order="id",
        )
        self.warehouse = int(warehouse["id"])
        self.company = int(warehouse["company_id"][0])
        self.stock_place = int(warehouse["lot_stock_id"][0])
        self.stock_name = str(warehouse["lot_stock_id"][1])
        self.binding = Binding(company=self.company, warehouses=(self.warehouse,))
        self._types: dict[str, dict[str, Any]] = {}

    def close(self) -> None:
        self.wait(self.admin.aclose())
        self.wait(self.gateway.aclose())
        self._runner.close()

    def wait(self, work: Any) -> Any:
        """Run a coroutine to its end."""
        return self._runner.run(work)

    def call(self, model: str, method: str, **named: Any) -> Any:
        """As the administrator."""
        return self.wait(self.admin.call(model, method, **named))

    def install(self, source: str | None = None) -> None:
        """Install the action, as it is or as a test broke it, and use it from now on."""
        self.source = action_source() if source is None else source
        self.wait(Installer(self.admin).install(RELAY_LOGIN, source=self.source))
        self.wait(self.gateway.aclose())
        self.gateway = Json2Gateway(self.url, self.database, self.stock_key, source=self.source)

    def replace_action(self, source: str) -> None:
        """Put another text in the installed action's place, as a test broke it."""
        self.source = source
        [row] = self.call(
            "x_edge_event",
            "search_read",
            domain=[["x_key", "=", ACTION_KEY]],
            fields=["x_record_id"],
        )
        self.call("ir.actions.server", "write", ids=[row["x_record_id"]], vals={"code": source})
        self.wait(self.gateway.aclose())
        self.gateway = Json2Gateway(self.url, self.database, self.stock_key, source=source)

    # -- what is there ---------------------------------------------------------------------------

    def number(self) -> str:
        """A barcode nobody used."""
        return f"{uuid.uuid4().int % 10**9:09d}{next(_numbers):03d}"

    def product(self, name: str = "Screw", tracking: str = "none", **values: Any) -> str:
        """A storable product; answers its barcode."""
        barcode = str(values.pop("barcode", self.number()))
        vals = {"name": name, "is_storable": True, "barcode": barcode, "tracking": tracking}
        self.call("product.product", "create", vals_list=[vals | values])
        return barcode

    def product_id(self, barcode: str) -> int:
        found = self.call("product.product", "search", domain=[["barcode", "=", barcode]])
        return int(found[0])

    def place(self, name: str, parent: int | None = None, **values: Any) -> str:
        """A place under the stock location; answers its barcode."""
        barcode = f"{name}-{self.number()}"
        vals = {"name": barcode, "barcode": barcode, "location_id": parent or self.stock_place}
        self.call("stock.location", "create", vals_list=[vals | values])
        return barcode

    def place_id(self, barcode: str) -> int:
        found = self.call("stock.location", "search", domain=[["barcode", "=", barcode]])
        return int(found[0])

    def stock(
        self,
        barcode: str,
        quantity: float,
        place: str | None = None,
        lot: str | None = None,
        package: str | None = None,
    ) -> None:
        """Put stock somewhere, by an inventory adjustment of the administrator."""
        product = self.product_id(barcode)
        values: dict[str, Any] = {
            "product_id": product,
            "location_id": self.place_id(place) if place else self.stock_place,
            "inventory_quantity": quantity,
        }
        if lot:
            values["lot_id"] = self.lot(barcode, lot)
        if package:
            values["package_id"] = self.package(package)
        [quant] = self.call(
            "stock.quant", "create", vals_list=[values], context={"inventory_mode": True}
        )
        self.call("stock.quant", "action_apply_inventory", ids=[quant])

    def date_back(self, barcode: str) -> None:
        """Let the stock of a product have been there for an hour: Odoo knows seconds only, and a
        scan of the same second may be older."""
        domain = [["product_id", "=", self.product_id(barcode)]]
        since = f"{datetime.now(UTC) - timedelta(hours=1):%Y-%m-%d %H:%M:%S}"
        moves = self.call("stock.move", "search", domain=domain)
        self.call("stock.move", "write", ids=moves, vals={"date": since})

    def lot(self, barcode: str, name: str) -> int:
        """The lot of that name, made when it is not there."""
        product = self.product_id(barcode)
        domain = [["product_id", "=", product], ["name", "=", name]]
        found = self.call("stock.lot", "search", domain=domain)
        if not found:
            found = self.call(
                "stock.lot", "create", vals_list=[{"name": name, "product_id": product}]
            )
        return int(found[0])

    def package(self, name: str) -> int:
        found = self.call("stock.package", "search", domain=[["name", "=", name]])
        if not found:
            found = self.call("stock.package", "create", vals_list=[{"name": name}])
        return int(found[0])

    def type_of(self, code: str) -> dict[str, Any]:
        """The operation type ``incoming``, ``outgoing`` or ``internal`` of the warehouse."""
        if code not in self._types:
            [found] = self.call(
                "stock.picking.type",
                "search_read",
                domain=[["warehouse_id", "=", self.warehouse], ["code", "=", code]],
                fields=["default_location_src_id", "default_location_dest_id"],
                limit=1,
                order="id",
            )
            self._types[code] = found
        return self._types[code]

    def transfer(
        self,
        code: str,
        goods: Sequence[tuple[str, float]],
        *,
        source: int | None = None,
        destination: int | None = None,
        uom: int | None = None,
        **values: Any,
    ) -> str:
        """A confirmed and reserved transfer; answers its name."""
        kind = self.type_of(code)
        places = {
            "location_id": source or kind["default_location_src_id"][0],
            "location_dest_id": destination or kind["default_location_dest_id"][0],
        }
        moves = [
            [
                0,
                0,
                {"product_id": self.product_id(barcode), "product_uom_qty": quantity}
                | ({"product_uom": uom} if uom else {})
                | places,
            ]
            for barcode, quantity in goods
        ]
        vals = {"picking_type_id": kind["id"], "move_ids": moves} | places | values
        ids = self.call("stock.picking", "create", vals_list=[vals])
        self.call("stock.picking", "action_confirm", ids=ids)
        self.call("stock.picking", "action_assign", ids=ids)
        [row] = self.call("stock.picking", "read", ids=ids, fields=["name"])
        return str(row["name"])

    # -- what happens ----------------------------------------------------------------------------

    def batch(self, events: Sequence[OdooEvent], **values: Any) -> OdooBatch:
        given: dict[str, Any] = {"database_uuid": "", "watermark": {}, "binding": self.binding}
        given |= values
        return OdooBatch(events=events, **given)

    def apply(self, *events: OdooEvent, **values: Any) -> list[OdooResult]:
        """One batch through the gateway, as the stock user."""
        reply = self.wait(self.gateway.apply(self.batch(events, **values)))
        return list(reply.results)

    # -- what came of it -------------------------------------------------------------------------

    def document(self, name: str) -> dict[str, Any]:
        """State, move lines and backorders of a transfer."""
        [row] = self.call(
            "stock.picking",
            "search_read",
            domain=[["name", "=", name], ["company_id", "=", self.company]],
            fields=["state", "backorder_ids", "move_ids", "move_line_ids", "write_date"],
        )
        return dict(row)

    def lines(self, name: str) -> list[tuple[str, float, bool, str, str]]:
        """Move lines as (product's barcode, quantity, picked, from, to), sorted."""
        rows = self.call(
            "stock.move.line",
            "search_read",
            domain=[["picking_id.name", "=", name], ["company_id", "=", self.company]],
            fields=[
                "product_id",
                "quantity_product_uom",
                "picked",
                "location_id",
                "location_dest_id",
            ],
        )
        barcodes = {
            row["id"]: row["barcode"]
            for row in self.call(
                "product.product",
                "read",
                ids=sorted({row["product_id"][0] for row in rows}),
                fields=["barcode"],
            )
        }
        return sorted(
            (
                barcodes[row["product_id"][0]],
                row["quantity_product_uom"],
                row["picked"],
                row["location_id"][1],
                row["location_dest_id"][1],
            )
            for row in rows
        )

    def on_hand(self, barcode: str) -> dict[str, float]:
        """Stock of a product by place (and lot and package), as Odoo has it, without zeros."""
        rows = self.call(
            "stock.quant",
            "search_read",
            domain=[
                ["product_id", "=", self.product_id(barcode)],
                ["location_id.usage", "in", ["internal", "transit", "customer"]],
            ],
            fields=["location_id", "lot_id", "package_id", "quantity"],
        )
        found: dict[str, float] = {}
        for row in rows:
            name = row["location_id"][1]
            for part in ("lot_id", "package_id"):
                if row[part]:
                    name += f" {row[part][1]}"
            found[name] = found.get(name, 0.0) + row["quantity"]
        return {name: quantity for name, quantity in sorted(found.items()) if quantity}
