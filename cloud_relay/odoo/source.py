"""The code of the server action: files of this repository joined into one text.

Comment lines and blank lines are left out, because Odoo compiles the text anew for every call.
The digest is of the text as it is installed, so that ``check`` can tell an edited action.
"""

from __future__ import annotations

import hashlib
from importlib import resources

#: Raised when what the relay sends or expects changes, so that a mismatch is said by name.
ACTION_VERSION = 1

#: In this order: a file may use at import time only what stands before it.
ACTION_FILES = (
    "names",
    "lookups",
    "claims",
    "ledger",
    "history",
    "dates",
    "adjust",
    "counts",
    "pallets",
    "stock",
    "scrap",
    "lines",
    "done",
    "packing",
    "reverse",
    "shortage",
    "groups",
    "main",
)


def read_file(name: str) -> str:
    """One file of the action as it stands in the repository."""
    path = resources.files("cloud_relay.odoo").joinpath("action", f"{name}.py")
    return path.read_text(encoding="utf-8")


def action_source() -> str:
    """The text that goes into ``ir.actions.server.code``."""
    kept = [
        f"# warehouse-edge server action, version {ACTION_VERSION}. Do not edit: the relay stops."
    ]
    for name in ACTION_FILES:
        kept += [
            line.rstrip()
            for line in read_file(name).splitlines()
            if line.strip() and not line.lstrip().startswith("#")
        ]
    return "\n".join(kept) + "\n"


def digest(text: str) -> str:
    """SHA-256 (hex) of an action's text."""
    return hashlib.sha256(text.strip().encode()).hexdigest()
