"""The template database: made once from a tree, and copied from then on.

Its name changes with everything that goes into it, so a new pin makes a new template.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from psycopg import sql

from edge_contract.errors import NeedsOperator
from edge_sandbox.odoo.cache import Cache, content_key
from edge_sandbox.odoo.cluster import Cluster
from edge_sandbox.odoo.launch import Launch, write_configuration
from edge_sandbox.odoo.pins import data_text
from edge_sandbox.odoo.tree import OdooTree

PREFIX = "template_odoo"
MODULES = ("stock", "purchase_stock", "sale_stock")

_LOADING = re.compile(r"Loading module \S+ \((\d+)/(\d+)\)")


@dataclass(frozen=True, slots=True)
class Template:
    """A database to copy, and the keys and passwords that are valid in every copy."""

    name: str
    admin_key: str
    admin_password: str
    stock_key: str
    stock_password: str


def template_name(tree: OdooTree, python_key: str) -> str:
    key = content_key(tree.key, python_key, data_text("template_setup.py"), *MODULES)
    return f"{PREFIX}{tree.series}_{key}"


def find(cache: Cache, cluster: Cluster, name: str) -> Template | None:
    """The template, if it was made before and is still there."""
    note = _secrets_file(cache, cluster, name)
    if not note.is_file():
        return None
    with cluster.connect("postgres") as connection:
        row = connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone()
    return _read(note, name) if row else None


def make(
    cache: Cache,
    cluster: Cluster,
    tree: OdooTree,
    python: Path,
    name: str,
    tick: Callable[[float], None],
) -> Template:
    """Make the template. A minute or two; call it under the cache's lock."""
    making = f"{name}_making"
    log = cache.directory("log") / f"{name}.log"
    configuration = cache.directory("run") / f"{name}.conf"
    launch = write_configuration(
        configuration, cluster, tree, python, cache.directory("data"), secrets.token_urlsafe(18)
    )
    note = _secrets_file(cache, cluster, name)
    note.unlink(missing_ok=True)
    _drop(cluster, making)
    _drop(cluster, name)
    log.unlink(missing_ok=True)
    new = tree.series >= 19
    modules = ("base", "rpc", *MODULES) if new else ("base", *MODULES)
    install = [
        f"-d{making}",
        f"-i{','.join(modules)}",
        "--without-demo=True" if new else "--without-demo=all",
        "--stop-after-init",
        "--no-http",
    ]
    if new:
        install.append("--skip-auto-install")
    _run(launch, ["server", *install], log, tick=tick)
    _run(
        launch,
        ["shell", f"-d{making}", "--no-http"],
        log,
        script=data_text("template_setup.py"),
        environment={"ODOO_SANDBOX_SECRETS": str(_reserve(note))},
    )
    configuration.unlink()
    with cluster.connect("postgres") as connection:
        for statement in (
            "alter database {making} rename to {name}",
            "alter database {name} with allow_connections false is_template true",
        ):
            connection.execute(
                sql.SQL(statement).format(making=sql.Identifier(making), name=sql.Identifier(name))
            )
    return _read(note, name)


def _run(
    launch: Launch,
    words: list[str],
    log: Path,
    *,
    script: str = "",
    environment: dict[str, str] | None = None,
    tick: Callable[[float], None] = lambda _: None,
) -> None:
    """Run Odoo to its end and follow its log."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            launch.command(*words),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=launch.environment(environment),
        )
    with process:
        assert process.stdin is not None
        process.stdin.write(script.encode())
        process.stdin.close()
        while process.poll() is None:
            tick(_loaded(log))
            time.sleep(0.25)
    text = log.read_text(encoding="utf-8", errors="replace")
    if process.returncode != 0 or "Traceback (most recent call last)" in text:
        raise NeedsOperator(
            "template",
            f"Odoo could not make the template database: {text[-800:]}",
            f"The whole log is {log}.",
        )


def _loaded(log: Path) -> float:
    """Which part of the modules Odoo has loaded by now."""
    with log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 8192))
        found = _LOADING.findall(file.read().decode("utf-8", "replace"))
    return int(found[-1][0]) / int(found[-1][1]) if found else 0.0


def _drop(cluster: Cluster, name: str) -> None:
    with cluster.connect("postgres") as connection:
        row = connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone()
        if row is None:
            return
        identifier = sql.Identifier(name)
        connection.execute(sql.SQL("alter database {} is_template false").format(identifier))
        connection.execute(sql.SQL("drop database {} with (force)").format(identifier))


def _secrets_file(cache: Cache, cluster: Cluster, name: str) -> Path:
    return cache.directory("templates") / f"{name}-{cluster.major}.json"


def _reserve(note: Path) -> Path:
    """An empty file only we may read, for Odoo to write into."""
    os.close(os.open(note, os.O_WRONLY | os.O_CREAT, 0o600))
    return note


def _read(note: Path, name: str) -> Template:
    found = json.loads(note.read_text(encoding="utf-8"))
    return Template(
        name,
        admin_key=found["keys"]["admin"],
        admin_password=found["passwords"]["admin"],
        stock_key=found["keys"]["edge"],
        stock_password=found["passwords"]["edge"],
    )
