"""The sandbox as a whole: prepared once, then a server and databases for whoever asks."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from edge_contract.errors import NeedsOperator
from edge_sandbox.odoo import background, copies, environment, template, tree
from edge_sandbox.odoo.cache import Cache
from edge_sandbox.odoo.cluster import Cluster, system_binaries
from edge_sandbox.odoo.launch import write_configuration
from edge_sandbox.odoo.needs import needs_for, require_platform, satisfy
from edge_sandbox.odoo.pins import pins
from edge_sandbox.odoo.progress import Progress, Report, silent
from edge_sandbox.odoo.running import owner_tag
from edge_sandbox.odoo.server import OdooServer
from edge_sandbox.odoo.template import Template
from edge_sandbox.odoo.tree import OdooTree

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """Which Odoo to run. Without any, it is Debian's package in the version that is pinned."""

    deb: Path | None = None
    source: Path | None = None
    series: int = 19
    """The version of ``source``: 17, 18 or 19."""
    mirror: str | None = None
    accept_version: str | None = None
    """A version of Debian's package this release does not know, taken all the same."""
    cache: Path | None = None
    system_postgresql: bool = True
    """Use the machine's PostgreSQL binaries when there are some; else those of a wheel."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> SandboxOptions:
        """What ``ODOO_SANDBOX_DEB``, ``_SOURCE``, ``_VERSION``, ``_MIRROR`` and
        ``_ACCEPT_VERSION`` say: this is how the tests are run against another Odoo."""

        def path(name: str) -> Path | None:
            return Path(environ[name]).expanduser() if environ.get(name) else None

        return cls(
            deb=path("ODOO_SANDBOX_DEB"),
            source=path("ODOO_SANDBOX_SOURCE"),
            series=int(environ.get("ODOO_SANDBOX_VERSION") or 19),
            mirror=environ.get("ODOO_SANDBOX_MIRROR") or None,
            accept_version=environ.get("ODOO_SANDBOX_ACCEPT_VERSION") or None,
            system_postgresql=environ.get("ODOO_SANDBOX_POSTGRESQL", "system") != "wheel",
        )


class Sandbox:
    """Use it as a context: entering prepares everything, leaving drops what it made.

    Many processes may use one cache at once; they share the tree, the cluster and the template.
    """

    def __init__(self, options: SandboxOptions | None = None, report: Report = silent) -> None:
        self.options = options or SandboxOptions.from_environment()
        self.cache = Cache(self.options.cache)
        self._report = report
        self._progress = Progress(report)
        self._servers: list[OdooServer] = []
        self._databases: set[str] = set()
        self._tree: OdooTree | None = None
        self._python: Path | None = None
        self._cluster: Cluster | None = None
        self._template: Template | None = None

    def __enter__(self) -> Sandbox:
        try:
            self.prepare()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # -- what there is -------------------------------------------------------------------------

    @property
    def tree(self) -> OdooTree:
        return _prepared(self._tree)

    @property
    def cluster(self) -> Cluster:
        return _prepared(self._cluster)

    @property
    def template(self) -> Template:
        return _prepared(self._template)

    @property
    def databases(self) -> frozenset[str]:
        """The databases this sandbox made and will drop."""
        return frozenset(self._databases)

    # -- preparing -----------------------------------------------------------------------------

    def prepare(self) -> None:
        """Have everything that a server needs: minutes the first time, then a second or two.

        Raises ``NeedsOperator`` with what is missing and what to do.
        """
        options = self.options
        require_platform()

        def waiting() -> None:
            self._report("waiting for another process that prepares the sandbox", 0.0)

        with self.cache.lock("prepare", on_wait=waiting):
            with self._progress.step("looking at the machine"):
                unpacks = options.source is None
                satisfy(
                    needs_for(
                        fetch=unpacks and options.deb is None and not self._has_tree(),
                        unpack=unpacks,
                        root=os.geteuid() == 0,
                    )
                )
            if options.source is not None:
                self._tree = tree.from_source(options.source, options.series)
            else:
                self._tree = tree.from_debian(
                    self.cache,
                    pins(),
                    self._progress,
                    deb=options.deb,
                    mirror=options.mirror,
                    accept_version=options.accept_version,
                )
            with self._progress.step("building Odoo's Python environment"):
                self._python, python_key = environment.odoo_python(self.cache)
            with self._progress.step("starting PostgreSQL"):
                binaries = system_binaries() if options.system_postgresql else None
                if binaries is None:
                    binaries = environment.postgresql_from_wheel(self.cache, self._python)
                self._cluster = Cluster(self.cache, binaries)
                self._cluster.acquire()
                background.end_orphans(self.cache)
                copies.drop_stale(self._cluster)
            name = template.template_name(self._tree, python_key)
            with self._progress.step("making the template database") as tick:
                self._template = template.find(self.cache, self._cluster, name) or template.make(
                    self.cache, self._cluster, self._tree, self._python, name, tick
                )

    def _has_tree(self) -> bool:
        return any((self.cache.root / "odoo").glob("*/sandbox.json"))

    def close(self) -> None:
        """Stop the servers, drop the databases, and let go of the cluster."""
        for server in self._servers:
            server.stop()
            background.forget(server.configuration)
        self._servers.clear()
        if self._cluster is not None:
            for name in sorted(self._databases):
                copies.drop(self._cluster, name)
            self._databases.clear()
            self._cluster.release()

    # -- servers -------------------------------------------------------------------------------

    def start(
        self,
        *,
        port: int | None = None,
        workers: int = 0,
        only: str | None = None,
        log: Path | None = None,
        detached: bool = False,
    ) -> OdooServer:
        """Start a server on 127.0.0.1; see :class:`OdooServer`. Some seconds.

        ``workers`` is Odoo's: 0 is one process with threads. ``detached`` leaves it running when
        this process ends.
        """
        label = f"{only or 'server'}-{secrets.token_hex(3)}"
        master = secrets.token_urlsafe(18)
        configuration = self.cache.directory("run") / f"{label}.conf"
        log = log or self.cache.directory("log") / f"{label}.log"
        launch = write_configuration(
            configuration,
            self.cluster,
            self.tree,
            _prepared(self._python),
            self.cache.directory("data"),
            master,
        )
        server = OdooServer(
            self,
            launch,
            master,
            log,
            port=port,
            workers=workers,
            only=only,
            detached=detached,
        )
        owner = copies.KEPT if detached else owner_tag()
        with self._progress.step("starting Odoo"):
            try:
                background.remember(configuration, owner, only or "", server.port, log)
                server.start()
                background.remember(configuration, owner, only or "", server.port, log)
            except BaseException:
                server.kill()
                background.forget(configuration)
                raise
        if not detached:
            self._servers.append(server)
        return server

    # -- databases -----------------------------------------------------------------------------

    def clone(
        self,
        name: str | None = None,
        *,
        source: str | None = None,
        new_uuid: bool = True,
        label: str = "odoo",
        kept: bool = False,
    ) -> str:
        """Copy the template, or the database ``source``, and return the copy's name.

        A copy of a live ``source`` ends the sessions on it. With ``new_uuid`` it is what Odoo
        makes of a copy (a staging copy); without, it is a backup. ``kept`` makes it outlive this
        sandbox.
        """
        chosen = copies.check_name(name) if name else copies.new_name(label)
        copies.copy(
            self.cluster,
            source or self.template.name,
            chosen,
            new_uuid=new_uuid,
            owner=copies.KEPT if kept else None,
        )
        if not kept:
            self._databases.add(chosen)
        return chosen

    def backup(self, name: str) -> str:
        """Copy a database as a backup does, uuid and all; the backup's name."""
        return self.clone(source=name, new_uuid=False, label="backup")

    def restore(self, name: str, backup: str) -> None:
        """Put the database ``name`` back to what it was when ``backup`` was made."""
        owner = next((c.owner for c in copies.copies(self.cluster) if c.name == name), None)
        self._forget(name)
        copies.drop(self.cluster, name)
        copies.copy(self.cluster, backup, name, new_uuid=False, owner=owner)

    def replace(self, name: str, source: str) -> None:
        """Put a staging copy of ``source`` (with a uuid of its own) in the place of ``name``."""
        owner = next((c.owner for c in copies.copies(self.cluster) if c.name == name), None)
        self._forget(name)
        aside = self.clone(source=source, label="staging")
        copies.drop(self.cluster, name)
        copies.copy(self.cluster, aside, name, new_uuid=False, owner=owner)
        self.drop(aside)

    def drop(self, name: str) -> None:
        """Drop a database, whoever uses it."""
        self._forget(name)
        copies.drop(self.cluster, name)
        self._databases.discard(name)

    def _forget(self, name: str) -> None:
        for server in self._servers:
            server.forget(name)


def _prepared(value: T | None) -> T:
    if value is None:
        raise NeedsOperator("sandbox", "The sandbox is not prepared.", "Enter its context first.")
    return value
