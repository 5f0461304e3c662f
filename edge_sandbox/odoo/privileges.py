"""Running PostgreSQL, which refuses to run as root, when we are root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edge_contract.errors import NeedsOperator
from edge_sandbox.odoo.cache import VARIABLE

#: Who runs the cluster then; there is such a user everywhere, and it owns nothing else.
_USER = "nobody"


@dataclass(frozen=True, slots=True)
class Runner:
    """How commands of PostgreSQL are started, and who owns their files."""

    prefix: Sequence[str] = field(default=())
    uid: int = field(default_factory=os.geteuid)
    gid: int = field(default_factory=os.getegid)

    def command(self, *words: str) -> list[str]:
        return [*self.prefix, *words]

    def own(self, path: Path, mode: int) -> None:
        """Give a file or directory to the runner."""
        path.chmod(mode)
        if os.geteuid() == 0:
            os.chown(path, self.uid, self.gid)


def runner_for(binaries: Path, directory: Path) -> Runner:
    """Ourselves; or, for root, ``nobody``, if it can run ``binaries`` and enter ``directory``.

    A cache that somebody put into root's home cannot be entered by others, so ``nobody`` is first
    tried bare and then with the one capability that ignores this.
    """
    if os.geteuid() != 0:
        return Runner()
    setpriv = shutil.which("setpriv") or "setpriv"
    user = pwd.getpwnam(_USER)
    drop = [setpriv, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    override = ["--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override"]
    for prefix in ([*drop, "--inh-caps=-all"], [*drop, *override]):
        runner = Runner(prefix, user.pw_uid, user.pw_gid)
        if _works(runner, binaries, directory):
            return runner
    raise NeedsOperator(
        "root",
        f"PostgreSQL does not run as root, and the user {_USER} cannot enter {directory}.",
        f"Run the sandbox as an ordinary user, or set {VARIABLE} to a directory that others may "
        "enter, such as /var/tmp/warehouse-edge.",
    )


def _works(runner: Runner, binaries: Path, directory: Path) -> bool:
    # Not test -w: access(2) asks without capabilities, whatever the process has.
    runner.own(directory, 0o700)
    for words in ([str(binaries / "postgres"), "--version"], ["stat", f"{directory}/."]):
        result = subprocess.run(runner.command(*words), cwd="/", capture_output=True, check=False)
        if result.returncode != 0:
            return False
    return True
