"""Is Odoo ready for the relay? Each finding says what is wrong and what to do about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from cloud_relay.odoo.gateway import Json2Gateway
from cloud_relay.odoo.port import Binding
from edge_contract.errors import EdgeError, NeedsOperator

Level = Literal["ok", "warning", "problem"]
#: A key that ends sooner than this is worth a warning.
KEY_WARNING = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    level: Level
    what: str
    message: str
    remedy: str = ""

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def _problem(what: str, error: EdgeError) -> Finding:
    if isinstance(error, NeedsOperator):
        return Finding("problem", what, error.message, error.remedy)
    return Finding("problem", what, str(error), "Check address and network, then try again.")


async def check(
    gateway: Json2Gateway, binding: Binding | None, uuid: str, now: datetime
) -> list[Finding]:
    """Look at everything the relay's own key can see; touches nothing.

    ``uuid`` is the database the relay knows ('' when it knows none yet).
    """
    try:
        [me] = await gateway.call(
            "res.users",
            "read",
            ids=[(await gateway.call("res.users", "context_get"))["uid"]],
            fields=["login", "name"],
        )
    except EdgeError as error:
        return [_problem("key", error)]
    version = await gateway.version()
    findings = [
        Finding("ok", "version", f"It is Odoo {version}.")
        if version
        else Finding(
            "warning", "version", "Odoo does not tell its version.", "Let /web/version through."
        ),
        Finding("ok", "key", f"Odoo knows the key as {me['login']}."),
    ]
    findings += await _expiry(gateway, now)
    batch = {
        "database_uuid": uuid,
        "watermark": {},
        "binding": (binding or Binding(company=0, warehouses=())).model_dump(mode="json"),
        "events": [],
        "check": True,
    }
    try:
        answer = await gateway.run(batch)
    except EdgeError as error:
        return [*findings, _problem("action", error)]
    findings.append(Finding("ok", "action", "The action is the one of this relay."))
    findings.append(Finding("ok", "database", f"The database's uuid is {answer['uuid']}."))
    return findings + _rights(answer, me["login"]) + _bound(answer, binding, me["login"])


async def _expiry(gateway: Json2Gateway, now: datetime) -> list[Finding]:
    """Odoo does not say which key is ours, so the user's first key to end counts."""
    keys = await gateway.call(
        "res.users.apikeys", "search_read", domain=[], fields=["name", "expiration_date"]
    )
    ends = sorted(
        (datetime.fromisoformat(key["expiration_date"]).replace(tzinfo=UTC), key["name"])
        for key in keys
        if key["expiration_date"]
    )
    if not ends:
        return [Finding("ok", "expiry", "No key of this user has an end.")]
    end, name = ends[0]
    level: Level = "warning" if end - now < KEY_WARNING else "ok"
    return [
        Finding(
            level,
            "expiry",
            f"The key {name} ends on {end:%Y-%m-%d} ({(end - now).days} days).",
            "Make a new key in time and put it where the configuration says."
            if level == "warning"
            else "",
        )
    ]


def _rights(answer: dict[str, Any], login: str) -> list[Finding]:
    findings = []
    if not answer["stock_user"]:
        findings.append(
            Finding(
                "problem",
                "rights",
                f"The user {login} may not work with the inventory.",
                "Give it the right Inventory: User in Odoo.",
            )
        )
    if answer["administrator"]:
        findings.append(
            Finding(
                "warning",
                "rights",
                f"The user {login} is an administrator: a stolen key could change everything.",
                "Use a user of its own with the right Inventory: User.",
            )
        )
    return findings or [Finding("ok", "rights", f"{login} has the rights of a stock user.")]


def _bound(answer: dict[str, Any], binding: Binding | None, login: str) -> list[Finding]:
    if binding is None:
        return []
    if not answer["company"]:
        return [
            Finding(
                "problem",
                "binding",
                f"Odoo has no company {binding.company}, or {login} may not work in it.",
                "Correct the company in the configuration, or allow it to the user in Odoo.",
            )
        ]
    there = {row["id"]: row["name"] for row in answer["warehouses"]}
    missing = [str(number) for number in binding.warehouses if number not in there]
    if missing:
        return [
            Finding(
                "problem",
                "binding",
                f"{answer['company']} has no warehouse {', '.join(missing)}.",
                "Correct the warehouses in the configuration: "
                + ", ".join(f"{number} is {name}" for number, name in sorted(there.items())),
            )
        ]
    names = ", ".join(there[number] for number in binding.warehouses)
    return [Finding("ok", "binding", f"Bound to {answer['company']}: {names}.")]
