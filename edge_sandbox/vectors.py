"""Foreign test vectors through our decoders: ``python -m edge_sandbox.vectors FOLDER SETUP``.

``FOLDER`` holds scales.json, printers.json, scanners.json and gs1.json: frames with what they
mean, which the project did not write and does not keep. ``SETUP`` (``tests/vectors``) says with
``setup.toml`` how the scanners of some vectors are set up, and which vectors are wrong and why.

Every vector is decoded by the function behind ``edge-agent decode``, and some of each protocol by
the command itself. Exit 1 when anything differs that is not explained.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from edge_agent.devices.decoding import decode

#: Of each protocol, every so-manieth vector goes through the command line as well.
_SAMPLE = 12

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Vector:
    """One frame with what it means."""

    id: str
    protocol: str
    frame: bytes
    command: str | None
    expect: Object
    source: str = ""
    """Of a scanner: what kind of scanner said it."""


@dataclass(frozen=True, slots=True)
class Setup:
    """How the scanners are set up, and which vectors are wrong."""

    profiles: Mapping[str, str]
    """Profile of a scanner by the vector's id; else it is called as the vector's source is."""
    wrong: Mapping[str, str]
    """Reason by the vector's id."""
    file: Path
    """Beside it, in ``profiles``, are the profiles that do not come with the agent."""

    def profile(self, vector: Vector) -> str | None:
        return self.profiles.get(vector.id, vector.source) or None


def read_setup(folder: Path) -> Setup:
    """``setup.toml`` of the folder, and the profiles beside it."""
    file = folder / "setup.toml"
    data = tomllib.loads(file.read_text(encoding="utf-8"))
    return Setup(data.get("scanners", {}), data.get("wrong", {}), file)


def read_vectors(folder: Path) -> list[Vector]:
    """Every vector of the four files."""
    return [
        *(_of_device(one) for one in _entries(folder / "scales.json")),
        *(_of_device(one) for one in _entries(folder / "printers.json")),
        *(
            Vector(
                one["id"],
                "scanner",
                bytes.fromhex(one["payload_hex"]),
                None,
                one["expect"],
                one["source"],
            )
            for one in _entries(folder / "scanners.json")
        ),
        *(
            Vector(one["id"], "gs1", bytes.fromhex(one["input_hex"]), None, one["expect"])
            for one in _entries(folder / "gs1.json")
        ),
    ]


def _of_device(one: Object) -> Vector:
    frame = bytes.fromhex(one["frame_hex"])
    return Vector(one["id"], one["protocol"], frame, one.get("command"), one["expect"])


def _entries(file: Path) -> list[Object]:
    found: list[Object] = json.loads(file.read_text(encoding="utf-8"))["vectors"]
    return found


def differences(vector: Vector, found: Object) -> list[str]:
    """What is otherwise than expected, a sentence each."""
    if vector.protocol == "scanner":
        return list(_scanner_differences(vector.expect, found))
    return [
        f"{key}: expected {_short(wanted)}, got {_short(found.get(key, 'nothing'))}"
        for key, wanted in vector.expect.items()
        if key not in found or not _same(wanted, found[key], ordered=vector.protocol == "gs1")
    ]


def _same(wanted: Any, got: Any, *, ordered: bool) -> bool:
    if isinstance(wanted, list) and isinstance(got, list):
        texts = [[json.dumps(one, sort_keys=True) for one in many] for many in (wanted, got)]
        return texts[0] == texts[1] if ordered else sorted(texts[0]) == sorted(texts[1])
    # 1 == True in Python, and not in what a device says.
    return type(wanted) is type(got) and bool(wanted == got)


def _scanner_differences(expect: Object, found: Object) -> Iterator[str]:
    """The data of each read is binding, and its time; the shape in which they are told is not."""
    reads = found.get("reads", [])
    wanted = expect.get("reads") or expect.get("scans") or []
    data = [one.get("epc", one.get("data")) for one in wanted] or expect.get("epcs")
    if "data" in expect:
        data = [expect["data"]]
    got = [read.get("data") for read in reads]
    if data is not None and data != got:
        yield f"data: expected {_short(data)}, got {_short(got)}"
    if "n" in expect and len(reads) != expect["n"]:
        yield f"reads: expected {expect['n']}, got {len(reads)}"
    for one, read in zip(wanted, reads, strict=False):
        if "time" in one and not _same_time(one["time"], read.get("time")):
            yield f"time: expected {one['time']}, got {read.get('time')}"
    for key in ("noread", "pending"):
        if key in expect and found.get(key) is not expect[key]:
            yield f"{key}: expected {expect[key]}, got {found.get(key)}"


def _same_time(wanted: str, got: object) -> bool:
    try:
        return datetime.fromisoformat(wanted) == datetime.fromisoformat(str(got))
    except (ValueError, TypeError):
        return False


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 300 else f"{text[:300]}…"


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one vector."""

    vector: Vector
    differences: list[str]


def run(vectors: Iterable[Vector], setup: Setup) -> list[Result]:
    """Decode every vector in this process."""
    return [Result(vector, _decoded(vector, setup)) for vector in vectors]


def _decoded(vector: Vector, setup: Setup) -> list[str]:
    profile = setup.profile(vector)
    try:
        found = decode(vector.protocol, vector.frame, vector.command, profile, setup.file)
    except Exception as error:  # noqa: BLE001 - the other vectors are wanted, too
        return [f"failed: {error!r}"]
    return differences(vector, json.loads(json.dumps(found)))


def run_commands(vectors: Iterable[Vector], setup: Setup) -> list[Result]:
    """A sample of each protocol through the command line itself."""
    counts: dict[str, int] = {}
    results = []
    for vector in vectors:
        number = counts[vector.protocol] = counts.get(vector.protocol, 0) + 1
        if number % _SAMPLE == 1:
            results.append(Result(vector, _commanded(vector, setup)))
    return results


def _commanded(vector: Vector, setup: Setup) -> list[str]:
    options = ["--protocol", vector.protocol, "--hex", vector.frame.hex()]
    if vector.command is not None:
        options += ["--command", vector.command]
    if profile := setup.profile(vector):
        options += ["--profile", profile, "--config", str(setup.file)]
    done = subprocess.run(
        [sys.executable, "-m", "edge_agent", "decode", *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if done.returncode:
        return [f"edge-agent decode ended with {done.returncode}: {done.stderr.strip()[:300]}"]
    return [f"on the command line: {one}" for one in differences(vector, json.loads(done.stdout))]


def report(results: list[Result], commands: list[Result], wrong: Mapping[str, str]) -> bool:
    """Print counts and differences; whether all is as expected or explained."""
    protocols = list(dict.fromkeys(result.vector.protocol for result in results))
    _say(f"{'protocol':<20}{'vectors':>8}{'as expected':>13}{'explained':>11}{'differ':>8}")
    for protocol in protocols:
        those = [result for result in results if result.vector.protocol == protocol]
        differ = [result for result in those if result.differences]
        explained = sum(result.vector.id in wrong for result in differ)
        _say(
            f"{protocol:<20}{len(those):>8}{len(those) - len(differ):>13}"
            f"{explained:>11}{len(differ) - explained:>8}"
        )
    in_order = True
    for result in [*results, *commands]:
        if result.differences and result.vector.id not in wrong:
            in_order = False
            _say(f"{result.vector.id}: {'; '.join(result.differences)}")
        elif not result.differences and result.vector.id in wrong and result in results:
            in_order = False
            _say(f"{result.vector.id}: decodes as expected and need not be explained any more")
    _say(
        f"{len(results)} vectors, {len(commands)} of them on the command line too: "
        f"{'all as expected or explained' if in_order else 'see above'}."
    )
    return in_order


def _say(text: str) -> None:
    print(text)  # noqa: T201 - what was asked for


def main(arguments: list[str]) -> int:
    """Run them all. 0: in order; 1: something differs; 2: there is nothing to run."""
    if len(arguments) != 2:
        sys.stderr.write("usage: python -m edge_sandbox.vectors FOLDER SETUP\n")
        return 2
    folder, setup_folder = map(Path, arguments)
    if not folder.is_dir():
        sys.stderr.write(
            f"There are no vectors at {folder}: they do not belong to the project. Name their "
            "folder: make vectors VECTORS=…\n"
        )
        return 2
    setup = read_setup(setup_folder)
    vectors = read_vectors(folder)
    results = run(vectors, setup)
    commands = run_commands(vectors, setup)
    return 0 if report(results, commands, setup.wrong) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
