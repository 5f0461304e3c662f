"""Secrets come from files that only the agent may read, never from the configuration itself."""

from __future__ import annotations

import stat
from pathlib import Path

from edge_contract.errors import NeedsOperator

_MOST_BYTES = 64 * 1024


def read_secret(path: Path, key: str) -> str:
    """The first line of ``path``. ``key`` is the configuration key that names it, for messages.

    Raises ``NeedsOperator`` (``secret``) when it is missing, empty, or open to other users.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(path.stat().st_mode)
            content = file.read(_MOST_BYTES)
    except OSError as error:
        raise NeedsOperator(
            "secret",
            f"{key}: {path} cannot be read: {error.strerror or error}.",
            "Put the secret there, owned by the agent's user with mode 0600.",
        ) from error
    if mode & 0o037:
        raise NeedsOperator(
            "secret",
            f"{key}: {path} has mode {mode:04o}, so that other users may read or change it.",
            f"Run: chmod 0600 {path}",
        )
    lines = content.decode("utf-8", errors="replace").split("\n", 1)
    secret = lines[0].strip()
    if not secret:
        raise NeedsOperator("secret", f"{key}: {path} is empty.", "Put the secret on line one.")
    if not secret.isascii() or not secret.isprintable():
        raise NeedsOperator(
            "secret",
            f"{key}: {path} holds characters that cannot be part of a secret.",
            "Put the secret, in printable ASCII, on line one.",
        )
    return secret
