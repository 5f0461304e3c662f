"""``cloud-relay odoo install | check | remove``: the relay's part inside Odoo.

The administrator's key is read from a file, the environment or a prompt, never from the command
line, where every user of the machine could read it. It is used once and kept nowhere.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from cloud_relay.odoo.check import Finding, check
from cloud_relay.odoo.gateway import Json2Gateway
from cloud_relay.odoo.install import Installed, Installer
from cloud_relay.odoo.json2 import Json2
from cloud_relay.odoo.port import Binding
from edge_contract.errors import EdgeError

ADMIN_KEY_VARIABLE = "ODOO_ADMIN_KEY"
RELAY_KEY_VARIABLE = "ODOO_RELAY_KEY"

odoo_app = typer.Typer(
    name="odoo",
    help="Put the relay's part into Odoo, look after it, take it out again.",
    no_args_is_help=True,
)

Url = Annotated[str, typer.Option("--url", help="Address of Odoo, e.g. https://odoo.example.com")]
Database = Annotated[str, typer.Option("--db", help="Name of the database; may be left out.")]
AdminKeyFile = Annotated[
    Path | None,
    typer.Option(
        "--admin-key-file",
        help=f"File with an administrator's API key; else {ADMIN_KEY_VARIABLE} or a prompt.",
    ),
]
Answer = TypeVar("Answer")
AsJson = Annotated[bool, typer.Option("--json", help="Answer as JSON, for scripts.")]


def read_key(path: Path | None, variable: str, prompt: str) -> str:
    """A key from a file, else the environment, else a hidden prompt."""
    if path is not None:
        try:
            key = path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise typer.BadParameter(f"{path} cannot be read: {error.strerror}.") from error
        if not key:
            raise typer.BadParameter(f"{path} is empty: it should hold the key.")
        return key
    key = os.environ.get(variable, "").strip()
    if not key and not sys.stdin.isatty():
        raise typer.BadParameter(f"There is no key: name a file with it, or set {variable}.")
    return key or str(typer.prompt(prompt, hide_input=True)).strip()


def _finish(work: Coroutine[Any, Any, Answer]) -> Answer:
    try:
        return asyncio.run(work)
    except EdgeError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from error


@odoo_app.command()
def install(
    url: Url,
    user: Annotated[str, typer.Option("--user", help="Login of the relay's user in Odoo.")],
    db: Database = "",
    admin_key_file: AdminKeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Make or update the claims table, the server action and the relay's group.

    Example: cloud-relay odoo install --url https://odoo.example.com --user relay
    """
    key = read_key(admin_key_file, ADMIN_KEY_VARIABLE, "API key of an Odoo administrator")

    async def work() -> Installed:
        async with Json2(url, db, key) as odoo:
            return await Installer(odoo).install(user)

    done = _finish(work())
    if as_json:
        typer.echo(
            json.dumps(
                {"action": done.action, "digest": done.digest, "created": list(done.created)}
            )
        )
        return
    for name in done.created:
        typer.echo(f"made {name}")
    typer.echo(
        f"Odoo is ready: server action {done.action}, for the user {user}. "
        "The administrator's key is not needed any more: revoke it."
    )


@odoo_app.command("check")
def check_command(
    url: Url,
    db: Database = "",
    key_file: Annotated[
        Path | None,
        typer.Option(
            "--key-file", help=f"File with the relay's API key; else {RELAY_KEY_VARIABLE}."
        ),
    ] = None,
    company: Annotated[int, typer.Option(help="Company the target is bound to (id).")] = 0,
    warehouse: Annotated[
        list[int] | None, typer.Option(help="Warehouse of the target (id); may be repeated.")
    ] = None,
    uuid: Annotated[str, typer.Option(help="The database's uuid, when it is known.")] = "",
    as_json: AsJson = False,
) -> None:
    """Check version, digest, rights, key and binding with the relay's own key.

    Example: cloud-relay odoo check --url https://odoo.example.com --key-file /etc/…/odoo.key
    """
    key = read_key(key_file, RELAY_KEY_VARIABLE, "API key of the relay's user")
    binding = Binding(company=company, warehouses=tuple(warehouse or ())) if company else None

    async def work() -> list[Finding]:
        async with Json2Gateway(url, db, key) as gateway:
            return await check(gateway, binding, uuid, datetime.now(UTC))

    findings = _finish(work())
    show_findings(findings, as_json=as_json)
    if any(finding.level == "problem" for finding in findings):
        raise typer.Exit(1)


def show_findings(findings: list[Finding], *, as_json: bool) -> None:
    """Print findings, one a line with its remedy, or as a JSON list."""
    if as_json:
        typer.echo(json.dumps([finding.as_dict() for finding in findings]))
        return
    for finding in findings:
        typer.echo(f"{finding.level:8} {finding.what:9} {finding.message}")
        if finding.remedy:
            typer.echo(f"{'':18} {finding.remedy}")


@odoo_app.command()
def remove(
    url: Url,
    db: Database = "",
    admin_key_file: AdminKeyFile = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take everything out of Odoo again, the claims included.

    Example: cloud-relay odoo remove --url https://odoo.example.com --admin-key-file key
    """
    if not yes:
        typer.confirm(
            "The claims go with it: events that are sent again afterwards would be applied twice. "
            "Remove?",
            abort=True,
        )
    key = read_key(admin_key_file, ADMIN_KEY_VARIABLE, "API key of an Odoo administrator")

    async def work() -> list[str]:
        async with Json2(url, db, key) as odoo:
            return await Installer(odoo).remove()

    removed = _finish(work())
    if as_json:
        typer.echo(json.dumps({"removed": removed}))
        return
    for name in removed:
        typer.echo(f"removed {name}")
    typer.echo("Odoo holds nothing of the relay any more." if removed else "There was nothing.")
