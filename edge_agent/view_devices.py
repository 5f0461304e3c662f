"""Profiles, devices and what discovery found, as people read them in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from edge_agent.looking import is_wrong

#: Bytes shown in hexadecimal, too; the rest is text.
_HEX_BYTES = 32


def profiles_view(rows: Iterable[Mapping[str, Any]]) -> Table:
    table = _table("profile", "class", "line", "speaks", "what it is for", "from")
    for row in rows:
        if row["error"]:
            wrong = Text(f"cannot be used: {row['error']}", style="red")
            table.add_row(row["name"], "", "", "", wrong, Text(row["origin"]))
        else:
            lines = ", ".join(row["transports"])
            title = Text(row["title"])
            table.add_row(
                row["name"], row["class"], lines, row["speaks"], title, Text(row["origin"])
            )
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


def trial_line(item: Mapping[str, Any]) -> Text | None:
    """One thing that happened while a device was tried; none when it is nothing to show."""
    what, at = item["what"], str(item.get("time", ""))[11:23]
    if what == "begin":
        who = "the running agent listens" if item["by"] == "agent" else "listening here"
        told = f"{item['device']}: {item['class']}, {item['profile']}, {item['address']}; {who}"
        return Text(told, style="bold")
    if what in ("received", "sent"):
        arrow, style = ("→", "cyan") if what == "sent" else ("←", "green")
        topic = f"{item['topic']}  " if "topic" in item else ""
        digits = item["hex"][: _HEX_BYTES * 3 - 1]
        more = "" if item["size"] <= _HEX_BYTES else f" … {item['size']} bytes"
        return Text(f"{at} {arrow} {topic}{item['text']}   [{digits}{more}]", style=style)
    if what == "decoded":
        style = "red" if is_wrong(item) else ""
        return Text(f"{at} = {_meaning(item['kind'], item['said'])}", style=style)
    if what == "state":
        told = " ".join(one for one in (item["health"], item["detail"]) if one)
        return Text(f"{at} * {told}", style="yellow" if item["health"] != "up" else "")
    if what == "lost":
        return Text(f"… {item['count']} more, too fast to be shown", style="dim")
    return Text(item["text"], style="yellow") if what == "note" else None


def _meaning(kind: str, said: Mapping[str, Any]) -> str:
    if kind == "weight":
        if said["value"] is None:
            return f"{said['status']} {said['detail']}".strip().replace("_", " ")
        stable = {True: "stable", False: "moving", None: ""}[said["stable"]]
        tare = f"tare {said['tare']}" if said["tare"] else ""
        weight = f"{said['value']} {said['unit'] or '(no unit)'}"
        return ", ".join(one for one in (weight, said["mode"], stable, tare) if one)
    if kind == "printer":
        return ": ".join(one for one in (said["state"], ", ".join(said["conditions"])) if one)
    if kind == "noread":
        return f"no read ({said['said']})"
    if kind == "unreadable":
        return f"not understood ({said['code']}): {said['message']}"
    facts = [f"{key} {one}" for key, one in said.items() if one not in (None, "", {}, [])]
    return ", ".join(facts)


def _table(*columns: str) -> Table:
    return Table(*columns, box=None, header_style="dim")
