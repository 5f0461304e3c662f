"""An Odoo somebody has already: is it fit, and if not, what is missing?"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field

import httpx

from edge_contract.errors import NeedsOperator
from edge_sandbox.odoo.database import OdooDatabase, OdooFault


@dataclass(slots=True)
class Existing:
    """What was found. ``missing`` has a sentence for each thing somebody must do."""

    url: str
    version: str = ""
    database: str = ""
    missing: list[str] = field(default_factory=list)

    @property
    def usable(self) -> bool:
        return not self.missing

    def as_json(self) -> dict[str, object]:
        return {**asdict(self), "usable": self.usable}

    def lines(self) -> list[str]:
        head = [f"Odoo {self.version or '(version unknown)'} at {self.url}"]
        if self.usable:
            return [*head, f"The database {self.database} can be used."]
        return [*head, "What is missing:", *(f"  - {sentence}" for sentence in self.missing)]


def examine(url: str, database: str | None, key: str | None) -> Existing:
    """Look, without changing anything. Raises ``NeedsOperator`` when nothing answers."""
    found = Existing(url.rstrip("/"), database=database or "")
    found.version = _version(found.url)
    series = re.match(r"(?:saas~)?(\d+)", found.version)
    major = int(series[1]) if series else 19
    if not 17 <= major <= 19:
        found.missing.append(f"Odoo 17, 18 or 19: this is {found.version}.")
    if database is None:
        found.missing.append("The name of the database: --odoo-db NAME.")
    if key is None:
        found.missing.append(
            "An API key: in Odoo, Preferences > Account Security > New API Key, as the user the "
            "relay shall act as (a stock user); pass it in ODOO_KEY."
        )
    if database is None or key is None:
        return found
    odoo = OdooDatabase(found.url, database, key, series=major)
    try:
        found.missing += _lacking(odoo)
    finally:
        odoo.close()
    return found


def _version(url: str) -> str:
    try:
        answer = httpx.post(
            f"{url}/web/webclient/version_info",
            json={"jsonrpc": "2.0", "method": "call", "params": {}},
            timeout=15,
        )
        if answer.is_success:
            return str(answer.json()["result"]["server_version"])
        answer = httpx.get(f"{url}/web/version", timeout=15)
        answer.raise_for_status()
        return str(answer.json()["version"])
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError) as error:
        raise NeedsOperator(
            "odoo-url",
            f"No Odoo answers at {url} ({type(error).__name__}: {error}).",
            "Check the address; it is the one you open in a browser, without /web or /odoo.",
        ) from error


def _lacking(odoo: OdooDatabase) -> list[str]:
    missing = []
    try:
        models = {
            "stock.picking": "stock (Inventory)",
            "purchase.order": "purchase_stock (Purchase)",
            "sale.order": "sale_stock (Sales)",
        }
        odoo.call("stock.picking", "search_count", domain=[])
        for model, module in models.items():
            try:
                odoo.call(model, "fields_get", attributes=["string"])
            except OdooFault as fault:
                if fault.status == 401 or "AccessError" in fault.name:
                    continue  # there, and none of this user's business
                missing.append(f"The module {module}: install it under Apps.")
    except OdooFault as fault:
        if fault.status == 401 or "AccessDenied" in fault.name:
            missing.append("A valid key: Odoo refused this one (keys expire after 90 days).")
        elif fault.status == 404:
            missing.append("The module stock (Inventory): install it under Apps.")
        else:
            missing.append(f"Rights of a stock user: Odoo says {fault.message}")
    except httpx.HTTPError as error:
        missing.append(f"An answer: {type(error).__name__}: {error}")
    return missing
