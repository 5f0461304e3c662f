"""Puts the relay's part into Odoo, through the API alone, with an administrator's key used once.

What it makes: two manual models with their indices, a group for the relay's user, the server
action restricted to that group, read access and a list for Odoo's users. Everything but the models
carries an external id of the module name ``warehouse_edge``, so that a second run updates and
``remove`` finds all of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cloud_relay.odoo.json2 import Json2
from cloud_relay.odoo.schema import ACTION_KEY, CLAIMS, EFFECTS, MODULE, PARAMETERS, Table
from cloud_relay.odoo.source import ACTION_VERSION, action_source, digest
from edge_contract.errors import NeedsOperator

GROUP_NAME = "Warehouse Edge relay"

_LIST = """
<list create="false" edit="false" delete="false">
  <field name="x_applied"/>
  <field name="x_occurred"/>
  <field name="x_site"/>
  <field name="x_device"/>
  <field name="x_kind"/>
  <field name="x_picking_id"/>
  <field name="x_record_name"/>
  <field name="x_notes" optional="hide"/>
  <field name="x_reversed_by" optional="hide"/>
  <field name="x_key" optional="hide"/>
</list>
"""
_SEARCH = """
<search>
  <field name="x_picking_id"/>
  <field name="x_document"/>
  <field name="x_device"/>
  <field name="x_kind"/>
</search>
"""
#: What is removed first, so that nothing is left hanging from what goes after it.
_REMOVAL_ORDER = (
    "ir.ui.menu",
    "ir.actions.act_window",
    "ir.ui.view",
    "ir.rule",
    "ir.model.access",
    "ir.actions.server",
    "res.groups",
)


@dataclass(frozen=True, slots=True)
class Installed:
    """What an installation left in Odoo."""

    action: int
    digest: str
    group: int
    user: int
    created: tuple[str, ...]
    """What was not there before; empty when a second run only updated."""


class Installer:
    """Installs, updates and removes; ``odoo`` speaks with an administrator's key."""

    def __init__(self, odoo: Json2) -> None:
        self._odoo = odoo
        self._created: list[str] = []

    async def install(self, login: str, *, source: str | None = None) -> Installed:
        """Make or update everything for the relay's user ``login``.

        Raises ``NeedsOperator`` with code ``no_stock``, ``no_user`` or ``no_rights``.
        """
        code = action_source() if source is None else source
        self._created = []
        await self._check_stock()
        user = await self._user(login)
        for table in (CLAIMS, EFFECTS):
            await self._table(table)
        group = await self._record(
            "group_relay",
            "res.groups",
            {"name": GROUP_NAME, "comment": "May run the server action of the warehouse relay."},
        )
        await self._odoo.call("res.groups", "write", ids=[group], vals={"user_ids": [[4, user]]})
        await self._rights(group)
        action = await self._action(group, code)
        await self._run_once(_setup_code(action, digest(code)))
        await self._screens()
        return Installed(action, digest(code), group, user, tuple(self._created))

    async def remove(self) -> list[str]:
        """Take everything out again, claims included; returns what was removed."""
        removed = []
        await self._set_free()
        marked = await self._odoo.call(
            "ir.model.data",
            "search_read",
            domain=[["module", "=", MODULE]],
            fields=["name", "model", "res_id"],
        )
        for model in _REMOVAL_ORDER:
            rows = [row for row in marked if row["model"] == model]
            await self._unlink(model, [["id", "in", [row["res_id"] for row in rows]]])
            removed += [f"{MODULE}.{row['name']}" for row in rows]
        names = [EFFECTS.model, CLAIMS.model]
        # What Odoo's users saved on the lists would point at models that are gone.
        await self._unlink("ir.filters", [["model_id", "in", names]])
        await self._unlink("ir.ui.view", [["model", "in", names]])
        for name in names:
            removed += [name] * await self._unlink("ir.model", [["model", "=", name]])
        await self._unlink("ir.model.data", [["module", "=", MODULE]])
        if await self._unlink("ir.config_parameter", [["key", "in", list(PARAMETERS)]]):
            removed.extend(PARAMETERS)
        return removed

    async def _check_stock(self) -> None:
        found = await self._odoo.call(
            "ir.module.module",
            "search_count",
            domain=[["name", "=", "stock"], ["state", "=", "installed"]],
        )
        if not found:
            raise NeedsOperator(
                "no_stock",
                f"The database {self._odoo.database} has no Inventory application.",
                "Install Inventory (module stock) in Odoo first, or name the right database.",
            )

    async def _user(self, login: str) -> int:
        found = await self._odoo.call(
            "res.users",
            "search_read",
            domain=[["login", "=", login]],
            fields=["all_group_ids"],
        )
        if not found:
            raise NeedsOperator(
                "no_user",
                f"Odoo has no user with the login {login}.",
                "Make a user for the relay with the right Inventory: User, and nothing more.",
            )
        stock_user = await self._reference("stock.group_stock_user")
        if stock_user not in found[0]["all_group_ids"]:
            raise NeedsOperator(
                "no_user",
                f"The user {login} may not work with the inventory.",
                "Give it the right Inventory: User.",
            )
        return int(found[0]["id"])

    async def _table(self, table: Table) -> None:
        found = await self._odoo.call("ir.model", "search", domain=[["model", "=", table.model]])
        if not found:
            values = {
                "name": table.label,
                "model": table.model,
                "state": "manual",
                "order": table.order,
                "field_id": [[0, 0, field.values()] for field in table.fields],
            }
            await self._odoo.call("ir.model", "create", vals_list=[values])
            self._created.append(table.model)
            return
        rows = await self._odoo.call(
            "ir.model.fields",
            "search_read",
            domain=[["model", "=", table.model]],
            fields=["name"],
        )
        there = {row["name"] for row in rows}
        missing = [field for field in table.fields if field.name not in there]
        if missing:
            commands = [[0, 0, field.values()] for field in missing]
            await self._odoo.call("ir.model", "write", ids=found, vals={"field_id": commands})
            self._created += [f"{table.model}.{field.name}" for field in missing]

    async def _rights(self, group: int) -> None:
        stock_user = await self._reference("stock.group_stock_user")
        manager = await self._reference("stock.group_stock_manager")
        for table, readers in (
            (CLAIMS, {"user": stock_user, "relay": group}),
            (EFFECTS, {"manager": manager, "relay": group}),
        ):
            model = await self._model_id(table.model)
            for who, reader in readers.items():
                await self._record(
                    f"access_{table.model}_{who}",
                    "ir.model.access",
                    {
                        "name": f"{table.label}: {who}",
                        "model_id": model,
                        "group_id": reader,
                        "perm_read": True,
                        "perm_write": False,
                        "perm_create": False,
                        "perm_unlink": False,
                    },
                )
        await self._record(
            "rule_event_company",
            "ir.rule",
            {
                "name": "Warehouse Edge event: own companies",
                "model_id": await self._model_id(CLAIMS.model),
                "domain_force": "[('x_company_id', 'in', [False] + company_ids)]",
            },
        )

    async def _action(self, group: int, code: str) -> int:
        values = {
            "name": "Warehouse Edge relay",
            "model_id": await self._model_id("stock.picking"),
            "state": "code",
            "code": code,
            "group_ids": [[6, 0, [group]]],
        }
        return await self._record("action_relay", "ir.actions.server", values)

    async def _screens(self) -> None:
        await self._record(
            "view_event_list",
            "ir.ui.view",
            {"name": "x_edge_event.list", "model": CLAIMS.model, "type": "list", "arch": _LIST},
        )
        await self._record(
            "view_event_search",
            "ir.ui.view",
            {
                "name": "x_edge_event.search",
                "model": CLAIMS.model,
                "type": "search",
                "arch": _SEARCH,
            },
        )
        window = await self._record(
            "window_events",
            "ir.actions.act_window",
            {
                "name": "Scans from the floor",
                "res_model": CLAIMS.model,
                "view_mode": "list",
                "domain": "[('x_device', '!=', False)]",
            },
        )
        await self._record(
            "menu_events",
            "ir.ui.menu",
            {
                "name": "Scans from the floor",
                "parent_id": await self._reference("stock.menu_warehouse_report"),
                "action": f"ir.actions.act_window,{window}",
                "sequence": 200,
                "group_ids": [[6, 0, [await self._reference("stock.group_stock_user")]]],
            },
        )

    async def _record(self, name: str, model: str, values: dict[str, Any]) -> int:
        """Create or update the record behind the external id ``warehouse_edge.name``."""
        marks = await self._odoo.call(
            "ir.model.data",
            "search_read",
            domain=[["module", "=", MODULE], ["name", "=", name]],
            fields=["res_id"],
        )
        if marks:
            record = int(marks[0]["res_id"])
            if await self._odoo.call(model, "search_count", domain=[["id", "=", record]]):
                await self._odoo.call(model, "write", ids=[record], vals=values)
                return record
            await self._odoo.call("ir.model.data", "unlink", ids=[marks[0]["id"]])
        [record] = await self._odoo.call(model, "create", vals_list=[values])
        mark = {"module": MODULE, "name": name, "model": model, "res_id": record, "noupdate": True}
        await self._odoo.call("ir.model.data", "create", vals_list=[mark])
        self._created.append(f"{MODULE}.{name}")
        return int(record)

    async def _reference(self, external_id: str) -> int:
        module, _, name = external_id.partition(".")
        found = await self._odoo.call(
            "ir.model.data",
            "search_read",
            domain=[["module", "=", module], ["name", "=", name]],
            fields=["res_id"],
        )
        return int(found[0]["res_id"])

    async def _model_id(self, model: str) -> int:
        found = await self._odoo.call("ir.model", "search", domain=[["model", "=", model]])
        return int(found[0])

    async def _unlink(self, model: str, domain: list[Any]) -> int:
        found = await self._odoo.call(model, "search", domain=domain)
        if found:
            await self._odoo.call(model, "unlink", ids=found)
        return len(found)

    async def _set_free(self) -> None:
        """Take the users out of the group, because Odoo keeps a group that somebody is in."""
        marks = await self._odoo.call(
            "ir.model.data",
            "search_read",
            domain=[["module", "=", MODULE], ["name", "=", "group_relay"]],
            fields=["res_id"],
        )
        ids = [mark["res_id"] for mark in marks]
        groups = await self._odoo.call("res.groups", "search", domain=[["id", "in", ids]])
        if groups:
            await self._odoo.call("res.groups", "write", ids=groups, vals={"user_ids": [[5]]})

    async def _run_once(self, code: str) -> None:
        """Run code as a server action that is gone afterwards: Odoo's API has no SQL."""
        values = {
            "name": "Warehouse Edge: set up",
            "model_id": await self._model_id("ir.config_parameter"),
            "state": "code",
            "code": code,
            "group_ids": [[6, 0, [await self._reference("base.group_system")]]],
        }
        [action] = await self._odoo.call("ir.actions.server", "create", vals_list=[values])
        try:
            await self._odoo.call("ir.actions.server", "run", ids=[action])
        finally:
            await self._odoo.call("ir.actions.server", "unlink", ids=[action])


def _setup_code(action: int, action_digest: str) -> str:
    """Indices, and the row among the claims by which the relay finds its action."""
    statements = CLAIMS.index_statements() + EFFECTS.index_statements()
    lines = [f"env.cr.execute({statement!r})" for statement in statements]
    upsert = (
        f"INSERT INTO {CLAIMS.model} (x_key, x_kind, x_digest, x_applied, x_record_model, "
        "x_record_id, x_record_name) VALUES (%s, 'install', %s, %s, 'ir.actions.server', %s, %s) "
        "ON CONFLICT (x_key) DO UPDATE SET x_digest = excluded.x_digest, "
        "x_record_id = excluded.x_record_id, x_record_name = excluded.x_record_name"
    )
    version = f"version {ACTION_VERSION}"
    lines.append(
        f"env.cr.execute({upsert!r}, "
        f"[{ACTION_KEY!r}, {action_digest!r}, env.cr.now(), {action}, {version!r}])"
    )
    return "\n".join(lines)
