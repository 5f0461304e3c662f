"""Loads the outbox's SQL: named statements and numbered migrations."""

from __future__ import annotations

import re
import sqlite3
from importlib.resources import files

from edge_contract.errors import NeedsOperator

_HERE = files("edge_agent.outbox")


def _named(text: str) -> dict[str, str]:
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)
    return {name: sql.strip() for name, sql in zip(parts[1::2], parts[2::2], strict=True)}


#: Every statement of ``queries.sql`` by name.
SQL = _named(_HERE.joinpath("queries.sql").read_text("utf-8"))


def migrations() -> list[tuple[int, str]]:
    """Number and script of each migration, ascending."""
    found = [one for one in _HERE.joinpath("schema").iterdir() if one.name.endswith(".sql")]
    return sorted((int(one.name[:4]), one.read_text("utf-8")) for one in found)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the database to the newest version, each migration whole or not at all."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    steps = migrations()
    newest = steps[-1][0]
    if version > newest:
        raise NeedsOperator(
            "outbox_newer",
            f"The outbox has schema version {version}; this agent knows up to {newest}.",
            "Install the newer agent again; nothing was changed.",
        )
    for number, script in steps:
        if number > version:
            connection.executescript(
                f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;"
            )


Schema = dict[str, tuple[str, str, str | None]]


def schema(connection: sqlite3.Connection) -> Schema:
    """Type, table and SQL of everything in a database, by name."""
    rows = connection.execute("SELECT name, type, tbl_name, sql FROM sqlite_schema")
    return {name: (kind, table, sql) for name, kind, table, sql in rows}


def expected_schema() -> Schema:
    """The schema of a database that the migrations made."""
    connection = sqlite3.connect(":memory:")
    try:
        migrate(connection)
        return schema(connection)
    finally:
        connection.close()
