"""Where the sandbox keeps what it fetched and made, and the locks that let many use it at once."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

#: Names another cache directory; without it, ``warehouse-edge`` in the user's cache directory.
VARIABLE = "ODOO_SANDBOX_CACHE"
#: Root's own cache: PostgreSQL runs as another user then, who must not enter root's home.
SYSTEM_CACHE = "/var/cache"


def cache_root(environment: Mapping[str, str] = os.environ, root: bool | None = None) -> Path:
    """The cache directory: ``$ODOO_SANDBOX_CACHE``, or ``warehouse-edge`` in the XDG cache; for
    root (``root``: whether we are) in the system's."""
    if chosen := environment.get(VARIABLE):
        return Path(chosen).expanduser().absolute()
    default = SYSTEM_CACHE if (os.geteuid() == 0 if root is None else root) else "~/.cache"
    base = environment.get("XDG_CACHE_HOME") or default
    return Path(base).expanduser().absolute() / "warehouse-edge"


def content_key(*parts: str | bytes) -> str:
    """Twelve hex digits that change when any part does."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()[:12]


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Cache:
    """The directories of one cache. Everything in it can be thrown away and made again."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or cache_root()
        self.root.mkdir(parents=True, exist_ok=True)

    def directory(self, name: str) -> Path:
        path = self.root / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    @contextlib.contextmanager
    def lock(self, name: str, *, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Hold the lock ``name`` among all processes that use this cache.

        ``on_wait`` is called when another holds it, before we wait for it.
        """
        descriptor = self.open_lock(name, exclusive=True, on_wait=on_wait)
        try:
            yield
        finally:
            os.close(descriptor)

    def open_lock(
        self, name: str, *, exclusive: bool, on_wait: Callable[[], None] = lambda: None
    ) -> int:
        """Take a lock and hand out its descriptor.

        A child that inherits the descriptor holds the lock as long as it lives, ``kill -9`` or
        not: this is how a server in the background keeps the database cluster running.
        """
        path = self.directory("locks") / name
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        how = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(descriptor, how)
        return descriptor


def become_only_holder(descriptor: int) -> bool:
    """Turn a shared lock into an exclusive one, if nobody else shares it; else it is given up."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def made_whole(target: Path) -> Iterator[Path]:
    """A directory to fill that appears under ``target`` only when it is complete.

    What a killed run left half made is thrown away first. Call it under a lock.
    """
    partial = target.with_name(target.name + ".partial")
    if partial.exists():
        shutil.rmtree(partial)
    partial.mkdir(parents=True)
    yield partial
    partial.rename(target)


def write_secret(path: Path, text: str) -> None:
    """Replace a file that only its owner may read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + f".{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)
