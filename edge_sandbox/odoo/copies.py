"""Copies of the template and of each other: made, renewed, remembered by owner, dropped."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from edge_contract.errors import NeedsOperator
from edge_sandbox.odoo.cluster import Cluster
from edge_sandbox.odoo.running import owner_alive, owner_tag
from edge_sandbox.odoo.template import PREFIX

#: The owner of a database that outlives the process that made it (``odoo-sandbox up``).
KEPT = "kept"

_NAME = re.compile(r"[a-z][a-z0-9_]{0,50}")


@dataclass(frozen=True, slots=True)
class Copy:
    """A database we made, and who owns it: a process, or ``kept``."""

    name: str
    owner: str

    @property
    def stale(self) -> bool:
        """Its owner has ended without dropping it."""
        return self.owner != KEPT and not owner_alive(self.owner)


def new_name(label: str = "odoo") -> str:
    """A name nobody has. ``label`` makes it readable in Odoo's log."""
    clean = re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")[-30:] or "odoo"
    return f"sandbox_{clean}_{secrets.token_hex(4)}"


def check_name(name: str) -> str:
    if not _NAME.fullmatch(name) or name.startswith(("template", "postgres")):
        raise NeedsOperator(
            "name",
            f"{name!r} cannot be the name of a sandbox's database.",
            "Use lower-case letters, digits and underscores, beginning with a letter.",
        )
    return name


def copy(
    cluster: Cluster, source: str, name: str, *, new_uuid: bool, owner: str | None = None
) -> None:
    """Copy ``source`` to ``name``; sessions on the source are ended first.

    ``new_uuid`` gives the copy a ``database.uuid`` of its own, as Odoo's own copying does; without
    it the copy is what a restored backup is.
    """
    note = json.dumps({"sandbox": owner or owner_tag()})
    with cluster.connect("postgres") as connection:
        template = source.startswith(PREFIX)
        try:
            if not template:
                _close(connection, source)
            connection.execute(_format("create database {} template {}", name, source))
        except psycopg.errors.InvalidCatalogName as missing:
            raise NeedsOperator(
                "name", f"The sandbox has no database {source}.", "See odoo-sandbox status."
            ) from missing
        except psycopg.errors.DuplicateDatabase as there:
            raise NeedsOperator(
                "name", f"There is a database {name} already.", "Drop it first."
            ) from there
        finally:
            if not template and exists(cluster, source):
                connection.execute(_format("alter database {} with allow_connections true", source))
        connection.execute(
            sql.SQL("comment on database {} is {}").format(sql.Identifier(name), sql.Literal(note))
        )
        connection.execute(_format("alter database {} with allow_connections true", name))
    with cluster.connect(name) as connection:
        if new_uuid:
            connection.execute(
                "update ir_config_parameter set value = gen_random_uuid()::text"
                " where key = 'database.uuid'"
            )
        if template:
            _renew_keys(connection)


def copies(cluster: Cluster) -> list[Copy]:
    """Every database the sandbox made, but for templates."""
    with cluster.connect("postgres") as connection:
        rows = connection.execute(
            "select datname, shobj_description(oid, 'pg_database')"
            " from pg_database where not datistemplate order by 1"
        ).fetchall()
    return [
        Copy(str(name), str(json.loads(note)["sandbox"]))
        for name, note in rows
        if note and str(note).startswith('{"sandbox"')
    ]


def drop(cluster: Cluster, name: str) -> None:
    """Drop a database, whoever is connected; nothing happens if it is not there."""
    with cluster.connect("postgres") as connection:
        connection.execute(_format("drop database if exists {} with (force)", name))


def exists(cluster: Cluster, name: str) -> bool:
    with cluster.connect("postgres") as connection:
        found = connection.execute(
            "select 1 from pg_database where datname = %s", [name]
        ).fetchone()
    return found is not None


def drop_stale(cluster: Cluster) -> list[str]:
    """Drop the databases whose owners have ended; their names."""
    names = [found.name for found in copies(cluster) if found.stale]
    for name in names:
        drop(cluster, name)
    return names


def _close(connection: psycopg.Connection[tuple[Any, ...]], name: str) -> None:
    """End the sessions of a database and let no new one in."""
    connection.execute(_format("alter database {} with allow_connections false", name))
    connection.execute(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = %s", [name]
    )


def _renew_keys(connection: psycopg.Connection[tuple[Any, ...]]) -> None:
    """Keys expire, and a template may be old."""
    dated = connection.execute(
        "select 1 from information_schema.columns"
        " where table_name = 'res_users_apikeys' and column_name = 'expiration_date'"
    ).fetchone()
    if dated:
        connection.execute(
            "update res_users_apikeys"
            " set expiration_date = (now() at time zone 'utc') + interval '80 days'"
        )


def _format(statement: LiteralString, *names: str) -> sql.Composed:
    return sql.SQL(statement).format(*(sql.Identifier(name) for name in names))
