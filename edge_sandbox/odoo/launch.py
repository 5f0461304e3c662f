"""How Odoo is started: its command, its configuration file and its environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge_sandbox.odoo.cache import write_secret
from edge_sandbox.odoo.cluster import ROLE, Cluster
from edge_sandbox.odoo.tree import OdooTree

#: Options are in a file because the command line of a process can be read by everybody.
_CONFIGURATION = """\
[options]
db_host = 127.0.0.1
db_port = {port}
db_user = {role}
db_password = {password}
db_maxconn = 32
addons_path = {addons}
data_dir = {data}
admin_passwd = {master}
http_interface = 127.0.0.1
proxy_mode = False
list_db = True
max_cron_threads = 0
limit_time_real = 86400
limit_time_cpu = 86400
limit_memory_hard = 0
"""


@dataclass(frozen=True, slots=True)
class Launch:
    """A configuration file and the interpreter and tree to run it with."""

    tree: OdooTree
    python: Path
    configuration: Path

    def command(self, *words: str) -> list[str]:
        """``odoo`` with words such as ``server`` or ``shell`` and their options."""
        first, *rest = words
        return [str(self.python), "-m", "odoo", first, f"-c{self.configuration}", *rest]

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Ours without what would lead Odoo's Python or PostgreSQL client astray."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PG", "PYTHON", "ODOO_"))
        }
        return {
            **kept,
            "PYTHONPATH": str(self.tree.python_path),
            "PYTHONUNBUFFERED": "1",
            "TZ": "UTC",
            **(more or {}),
        }


def write_configuration(
    path: Path, cluster: Cluster, tree: OdooTree, python: Path, data: Path, master: str
) -> Launch:
    """Write a configuration file only we may read. ``master`` guards Odoo's database manager."""
    text = _CONFIGURATION.format(
        port=cluster.port,
        role=ROLE,
        password=cluster.password,
        addons=",".join(str(place) for place in tree.addons),
        data=data,
        master=master,
    )
    write_secret(path, text)
    return Launch(tree, python, path)
