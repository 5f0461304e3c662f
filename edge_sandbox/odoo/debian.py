"""Debian's package of Odoo, fetched with an apt configuration of our own and verified.

Nothing of the system's apt is written: lists, cache, state and sources lie in the sandbox's cache.
What is fetched is checked twice: apt verifies the archive's signature over the index that names
the digest, and the digest must be one this release pins.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from edge_contract.errors import NeedsOperator, Retryable
from edge_sandbox.odoo.cache import file_sha256
from edge_sandbox.odoo.mirror import debian_mirrors
from edge_sandbox.odoo.needs import ELSEWHERE, KEYRING
from edge_sandbox.odoo.pins import Pin, Pins

_CONFIGURATION = """\
Dir::Etc::sourcelist "{root}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State "{root}/state";
Dir::State::lists "{root}/lists";
Dir::State::status "{root}/state/status";
Dir::Cache "{root}/cache";
Acquire::Languages "none";
Acquire::PDiffs "false";
Acquire::Retries "3";
Acquire::Check-Valid-Until "{check_validity}";
Acquire::Check-Date "{check_validity}";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
APT::Update::Error-Mode "any";
APT::Sandbox::User "root";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear APT::Architectures;
"""


class PrivateApt:
    """apt with one source and directories of its own.

    ``check_validity`` is apt's check that the index is recent, on or off whatever the machine's
    own configuration says. It may be off only for a package
    whose digest is pinned: an old index cannot smuggle in another file then.
    """

    def __init__(
        self, root: Path, mirror: str, suite: str, *, check_validity: bool, keyring: Path = KEYRING
    ) -> None:
        self.mirror = mirror
        self._configuration = root / "apt.conf"
        if root.exists():
            shutil.rmtree(root)
        for name in ("state", "lists/partial", "cache/archives/partial"):
            (root / name).mkdir(parents=True)
        (root / "state/status").touch()
        (root / "sources.list").write_text(f"deb [signed-by={keyring}] {mirror} {suite} main\n")
        self._configuration.write_text(
            _CONFIGURATION.format(root=root, check_validity=str(check_validity).lower())
        )

    def update(self) -> None:
        """Fetch and verify the index. Raises ``Retryable`` with apt's words."""
        result = self._run("apt-get", "update", "-q")
        if result.returncode != 0:
            raise Retryable(
                f"The index of {self.mirror} could not be fetched and verified: "
                f"{_errors(result.stderr)}"
            )

    def candidate(self, package: str) -> Pin | None:
        """The version the verified index has of ``package``."""
        fields: dict[str, str] = {}
        for line in self._run("apt-cache", "show", package).stdout.splitlines():
            if not line.strip():
                break
            name, separator, value = line.partition(": ")
            if separator and not name.startswith(" "):
                fields[name] = value.strip()
        if "Version" not in fields or "SHA256" not in fields:
            return None
        return Pin(package, fields["Version"], fields["SHA256"].lower())

    def download(self, pin: Pin, directory: Path, tick: Callable[[float], None]) -> Path:
        """Fetch ``pin`` into ``directory`` and check its digest."""
        directory.mkdir(parents=True, exist_ok=True)
        reader, writer = os.pipe()
        try:
            process = subprocess.Popen(
                [
                    "apt-get",
                    f"-c={self._configuration}",
                    f"-oAPT::Status-Fd={writer}",
                    "download",
                    "-q",
                    f"{pin.package}={pin.version}",
                ],
                cwd=directory,
                pass_fds=(writer,),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
        finally:
            os.close(writer)
        with process, os.fdopen(reader, encoding="utf-8", errors="replace") as status:
            for line in status:
                if line.startswith("dlstatus:"):
                    tick(float(line.split(":")[2]) / 100)
            errors = process.communicate()[1]
        if process.returncode != 0:
            raise Retryable(
                f"{pin.package} {pin.version} could not be fetched from {self.mirror}: "
                f"{_errors(errors)}"
            )
        file = next(directory.glob(f"{pin.package}_*.deb"))
        _check(file, pin.sha256)
        return file

    def _run(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [command, f"-c={self._configuration}", *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )


def open_archive(
    root: Path, pins: Pins, *, mirror: str | None, check_validity: bool, apt: Path | None = None
) -> PrivateApt:
    """The first of the machine's mirrors (or ``mirror``) whose index can be had."""
    mirrors = [mirror] if mirror else debian_mirrors(*([apt] if apt else []))
    if not mirrors:
        raise NeedsOperator(
            "mirror",
            "This machine's apt sources name no Debian archive (Ubuntu's mirrors have no suite "
            f"{pins.suite}).",
            "Name one: --mirror http://deb.debian.org/debian, with the package "
            f"debian-archive-keyring installed. {ELSEWHERE}",
        )
    failures: list[str] = []
    for address in mirrors:
        archive = PrivateApt(root, address, pins.suite, check_validity=check_validity)
        try:
            archive.update()
        except Retryable as failure:
            failures.append(str(failure))
        else:
            return archive
    raise NeedsOperator(
        "mirror",
        " ".join(failures),
        "Check the network, name another mirror with --mirror URL, or pass the package with "
        f"--deb FILE. {ELSEWHERE}",
    )


def choose(pins: Pins, candidate: Pin | None, accept_version: str | None) -> Pin:
    """The version to fetch: what the archive has, if it is pinned or accepted by the user."""
    if candidate is None:
        raise NeedsOperator(
            "sid", f"Debian's {pins.suite} has no {pins.package}.", f"Pass --deb FILE. {ELSEWHERE}"
        )
    if accept_version is not None:
        if candidate.version != accept_version:
            raise NeedsOperator(
                "sid",
                f"Debian's {pins.suite} has {pins.package} {candidate.version}, and "
                f"{accept_version} was asked for.",
                "Accept the version that is there, or pass the other with --deb FILE.",
            )
        return candidate
    if pins.by_digest(candidate.sha256) is None:
        raise NeedsOperator("sid", *moved_on(pins, candidate))
    return candidate


def moved_on(pins: Pins, candidate: Pin) -> tuple[str, str]:
    """Message and remedy when the archive has a version that this release does not know."""
    known = ", ".join(pin.version for pin in pins.versions)
    return (
        f"Debian's {pins.suite} has {pins.package} {candidate.version} now (SHA-256 "
        f"{candidate.sha256}), and this release was tried with {known}.",
        f"Take it all the same with --accept-version {candidate.version} (Debian's signature is "
        "verified), or fetch the known version from https://snapshot.debian.org/package/odoo/ "
        f"and pass it with --deb FILE. {ELSEWHERE}",
    )


def check_file(pins: Pins, file: Path, accept_version: str | None) -> Pin:
    """Which version a package file of the user is. Raises ``NeedsOperator`` for an unknown one."""
    if not file.is_file():
        raise NeedsOperator("deb", f"There is no file {file}.", "Name a package of Odoo.")
    digest = file_sha256(file)
    known = pins.by_digest(digest)
    if known is not None:
        return known
    shown = subprocess.run(
        ["dpkg-deb", "--show", "--showformat=${Package} ${Version}", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    package, _, version = shown.stdout.strip().partition(" ")
    if shown.returncode != 0 or not package.startswith("odoo"):
        raise NeedsOperator("deb", f"{file} is not a Debian package of Odoo.", ELSEWHERE)
    if accept_version != version:
        raise NeedsOperator(
            "deb",
            f"{file} is {package} {version} with SHA-256 {digest}, which this release does not "
            "know, and a file carries no signature to verify.",
            f"If you trust it, pass --accept-version {version} too.",
        )
    return Pin(package, version, digest)


def unpack(deb: Path, directory: Path, leave_out: Sequence[str]) -> None:
    """Unpack a package without installing it, except paths that match ``leave_out``."""
    with subprocess.Popen(
        ["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE
    ) as archive:
        command = ["tar", "-x", "-C", str(directory), "--no-same-owner"]
        command += [f"--exclude={pattern}" for pattern in leave_out]
        result = subprocess.run(
            command, stdin=archive.stdout, stderr=subprocess.PIPE, text=True, check=False
        )
    if archive.returncode != 0 or result.returncode != 0:
        raise NeedsOperator(
            "deb",
            f"{deb.name} could not be unpacked into {directory}: {result.stderr.strip()[-300:]}",
            "Check that the disk has 1 GB free.",
        )


def _check(file: Path, sha256: str) -> None:
    found = file_sha256(file)
    if found != sha256:
        file.unlink()
        raise NeedsOperator(
            "digest",
            f"{file.name} has SHA-256 {found}, and {sha256} is expected.",
            "Try again, with another --mirror if it persists.",
        )


def _errors(text: str) -> str:
    """The lines of apt that say what went wrong."""
    lines = [line.strip() for line in text.splitlines() if line.startswith(("E:", "W:"))]
    return " ".join(lines)[:600] or text.strip()[-300:]
