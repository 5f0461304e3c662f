"""Profiles, devices and what discovery found, as people read them in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.table import Table
from rich.text import Text


def profiles_view(rows: Iterable[Mapping[str, Any]]) -> Table:
    table = _table("profile", "class", "line", "speaks", "what it is for", "from")
    for row in rows:
        if row["error"]:
            wrong = Text(f"cannot be used: {row['error']}", style="red")
            table.add_row(row["name"], "", "", "", wrong, row["origin"])
        else:
            lines = ", ".join(row["transports"])
            title = Text(row["title"])
            table.add_row(row["name"], row["class"], lines, row["speaks"], title, row["origin"])
    return table


def devices_view(rows: Iterable[Mapping[str, Any]]) -> Table:
    table = _table("device", "class", "profile", "line", "address", "station")
    for row in rows:
        cells = (row["name"], row["class"], row["profile"], row["transport"], row["address"])
        table.add_row(*map(Text, cells), row["station"] or "")
    return table


def found_view(rows: Iterable[Mapping[str, Any]]) -> Table:
    table = _table("where", "what it says it is", "proposed", "how sure", "why")
    for row in rows:
        proposed = row["profile"] or ("[mqtt]" if row["kind"] == "broker" else "")
        cells = (row["where"], row["says"], proposed, row["sure"], row["why"])
        table.add_row(*map(Text, cells))
    return table


def _table(*columns: str) -> Table:
    return Table(*columns, box=None, header_style="dim")
