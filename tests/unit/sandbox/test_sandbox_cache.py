"""The cache: its place, its locks between processes, and what a killed run leaves."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge_contract.errors import NeedsOperator
from edge_sandbox.odoo.cache import (
    Cache,
    become_only_holder,
    cache_root,
    content_key,
    made_whole,
    write_secret,
)
from edge_sandbox.odoo.copies import Copy, check_name, new_name
from edge_sandbox.odoo.running import is_running, owner_alive, owner_tag, wait_gone


def test_the_place_follows_the_environment() -> None:
    assert cache_root({"ODOO_SANDBOX_CACHE": "/x/y", "XDG_CACHE_HOME": "/z"}) == Path("/x/y")
    assert cache_root({"XDG_CACHE_HOME": "/z"}) == Path("/z/warehouse-edge")
    assert cache_root({}, root=False) == Path.home() / ".cache/warehouse-edge"
    assert cache_root({}, root=True) == Path("/var/cache/warehouse-edge")


def test_a_key_changes_with_every_part_and_with_their_borders() -> None:
    assert content_key("a", "b") == content_key("a", b"b")
    assert len({content_key("ab"), content_key("a", "b"), content_key("", "ab")}) == 3


def test_a_directory_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "tree"

    def die_half_way() -> None:
        with made_whole(target) as directory:
            (directory / "old").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        die_half_way()
    assert not target.exists()
    with made_whole(target) as directory:
        (directory / "new").touch()
    assert [path.name for path in target.iterdir()] == ["new"]


def test_a_secret_is_for_its_owner_only(tmp_path: Path) -> None:
    write_secret(tmp_path / "s", "x")
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o600


HOLD = """
import fcntl, sys
file = open(sys.argv[1])
fcntl.flock(file, fcntl.LOCK_SH)
print("held", flush=True)
sys.stdin.read()
"""


def test_the_last_user_and_only_the_last_becomes_the_only_holder(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    os.close(cache.open_lock("users", exclusive=False))
    other = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", HOLD, str(tmp_path / "locks/users")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        ours = cache.open_lock("users", exclusive=False)
        assert not become_only_holder(ours), "another process uses it"
        os.close(ours)
        other.kill()
    ours = cache.open_lock("users", exclusive=False)
    assert become_only_holder(ours), "kill -9 gives its lock back"
    os.close(ours)


def test_a_child_with_a_lock_of_its_own_keeps_it_when_we_let_go(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    ours = cache.open_lock("users", exclusive=False)
    theirs = cache.open_lock("users", exclusive=False)
    child = subprocess.Popen(["sleep", "60"], pass_fds=(theirs,))
    os.close(theirs)
    try:
        assert not become_only_holder(ours), "the child uses it"
    finally:
        os.close(ours)
        child.kill()
        child.wait()
    again = cache.open_lock("users", exclusive=False)
    assert become_only_holder(again)
    os.close(again)


def test_whoever_waits_for_a_lock_is_told(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    told: list[str] = []
    with cache.lock("prepare", on_wait=lambda: told.append("waited")):
        pass
    assert told == []


def test_a_process_is_known_by_its_start_too() -> None:
    child = subprocess.Popen(["sleep", "60"])
    tag = owner_tag(child.pid)
    assert owner_alive(tag)
    assert not owner_alive(f"{child.pid}:1"), "the same id, another process"
    deadline = time.monotonic() + 5
    while not is_running(child.pid, "sleep"):  # for a moment a new process has no command line yet
        assert time.monotonic() < deadline
    assert not is_running(child.pid, "postgres")
    assert not Copy("x", tag).stale
    child.kill()
    assert wait_gone(child.pid, 5), "a zombie is gone"
    assert not owner_alive(tag)
    assert Copy("x", tag).stale
    child.wait()
    assert not Copy("x", "kept").stale


def test_names_of_databases() -> None:
    assert new_name("test_Stock Moved!").startswith("sandbox_test_stock_moved_")
    assert new_name() != new_name()
    assert check_name("demo_2") == "demo_2"
    for bad in ("", "Demo", "a-b", 'x"; drop', "template1", "postgres", "1a", "a" * 60):
        with pytest.raises(NeedsOperator):
            check_name(bad)
