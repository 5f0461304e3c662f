"""What the command line shows: plain JSON for scripts, tables for people."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

Rows = Sequence[Mapping[str, Any]]

_COLOURS = {
    "ok": "green",
    "applied": "green",
    "held": "red",
    "aside": "yellow",
    "rejected": "red",
    "stopped": "red",
    "unreachable": "red",
    "failing": "yellow",
    "waiting": "cyan",
    "short": "cyan",
}


def show(answer: Any, as_json: bool, screen: Callable[[Any], RenderableType]) -> None:
    """Print an answer of the relay."""
    if as_json:
        print(json.dumps(answer, ensure_ascii=False))  # noqa: T201 - this is the output
        return
    Console().print(screen(answer), highlight=False)


def sites(rows: Rows) -> RenderableType:
    table = _table("site", "target", "heard", "unrelayed", "waiting", "held", "applied", "oldest")
    for row in rows:
        table.add_row(
            row["site"],
            row["target"],
            when(row["last_heard"]) or "never",
            str(row["unrelayed"]),
            str(row["waiting"]),
            Text(str(row["held"]), "red" if row["held"] else ""),
            str(row["applied"]),
            when(row["oldest_waiting"]),
        )
    return table


def held(rows: Rows) -> RenderableType:
    if not rows:
        return "Nothing is held."
    lines: list[RenderableType] = []
    for row in rows:
        behind = f", {row['behind']} wait behind it" if row["behind"] else ""
        head = Text(f"{row['number']}  ", "bold").append(_coloured(row["status"]))
        document = f" of {row['lane']}" if row["lane"] else ""
        head.append(f"  {row['kind']}{document}, {row['device']} at {row['site']}, ")
        head.append(f"{when(row['occurred'])}{behind}")
        lines += [head, Text(f"   {row['message'] or row['code']}"), Text(f"   {row['remedy']}")]
    return Group(*lines)


def event(row: Mapping[str, Any]) -> RenderableType:
    facts = Table.grid(padding=(0, 2))
    record = row["record"]
    for name, value in (
        ("event", f"{row['event']} of {row['device']} at {row['site']}"),
        ("number", str(row["number"])),
        ("kind", row["kind"]),
        ("document", row["lane"] or ""),
        ("happened", when(row["occurred"])),
        ("status", _coloured(row["status"])),
        ("reason", f"{row['code']}  {row['message']}".strip()),
        ("what to do", row["remedy"]),
        ("behind it", str(row["behind"]) if row.get("behind") else ""),
        ("in Odoo", f"{record['name']} ({record['model']} {record['id']})" if record else ""),
        ("data", json.dumps(row["data"], ensure_ascii=False)),
    ):
        if value:
            facts.add_row(Text(name, "dim"), value)
    steps = _table("rung", "at", "")
    for step in row["ladder"]:
        outcome = step["outcome"] or {}
        steps.add_row(_coloured(step["stage"]), when(step["at"]), outcome.get("message", ""))
    return Group(facts, "", steps)


def targets(rows: Rows) -> RenderableType:
    table = _table("target", "state", "since", "batch", "next try")
    reasons = []
    for row in rows:
        since, again = when(row["since"]), when(row["retry_at"])
        table.add_row(row["target"], _coloured(row["state"]), since, str(row["batch_limit"]), again)
        if row["message"]:
            reasons += ["", f"{row['target']}: {row['message']}", row["remedy"]]
    return Group(table, *reasons)


def alarms(rows: Rows) -> RenderableType:
    if not rows:
        return "No alarm stands."
    table = _table("key", "site", "raised", "what")
    for row in rows:
        table.add_row(row["key"], row["site"] or "", when(row["raised"]), row["message"])
    return table


def audit(rows: Rows) -> RenderableType:
    if not rows:
        return "Nobody did anything yet."
    table = _table("at", "by", "did", "to", "because")
    for row in rows:
        table.add_row(when(row["at"]), row["by"], row["action"], row["subject"], row["reason"])
    return table


def when(text: str | None) -> str:
    """An instant for people: UTC, to the second."""
    return "" if text is None else text[:19].replace("T", " ")


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _coloured(word: str) -> Text:
    return Text(word, _COLOURS.get(word, ""))
