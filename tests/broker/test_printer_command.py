"""``edge-agent print`` against a running agent and a simulated printer."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_agent.devices.simulate.printer import SimulatedPrinter
from edge_agent.devices.simulate.scanner import SimulatedScanner
from edge_agent.status import ask
from edge_contract.errors import EdgeError, Rejected
from edge_sandbox.process import Part

LABEL = b"^XA^FO20,20^FDparcel 3^FS^XZ\n"


@pytest.fixture
def printer() -> Iterator[SimulatedPrinter]:
    with SimulatedPrinter() as simulated:
        yield simulated


@pytest.fixture
def scanner() -> Iterator[SimulatedScanner]:
    with SimulatedScanner() as simulated:
        yield simulated


@pytest.fixture
def config(tmp_path: Path, printer: SimulatedPrinter, scanner: SimulatedScanner) -> Iterator[Path]:
    path = tmp_path / "agent.toml"
    path.write_text(
        f"""
[site]
name = "dc1"
agent = "bench"
[outbox]
path = "outbox.db"
min_free_bytes = 1048576
[devices.zebra-1]
profile = "zebra-zpl"
host = "{printer.host}:{printer.port}"
override.printer = {{ poll_interval_s = 0.1, timeout_s = 0.5, alert_wait_s = 0.5 }}
[devices.scan-1]
profile = "serial-scanner"
port = "{scanner.port}"
[status]
socket = "agent.sock"
"""
    )

    def ready() -> bool:
        try:
            return bool(list(ask(tmp_path / "agent.sock", "status")))
        except EdgeError:
            return False

    command = [sys.executable, "-m", "edge_agent", "run", "--config", str(path)]
    with Part("agent", command, tmp_path / "agent.log", ready=ready):
        yield path


def run(config: Path, *arguments: str, data: bytes = LABEL) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "edge_agent", "print", "--config", str(config), *arguments]
    return subprocess.run(command, input=data, capture_output=True, timeout=60, check=False)


def stored(config: Path) -> list[dict[str, Any]]:
    rows = ask(config.parent / "agent.sock", "outbox.list", limit=1000)
    kind = "warehouse.label.printed.v1"
    return [row["event"]["data"] for row in rows if row["event"]["type"] == kind]


def test_a_label_is_printed_and_recorded(config: Path, printer: SimulatedPrinter) -> None:
    done = run(config, "--printer", "zebra-1", "--package", "PARCEL003", "-")
    assert done.returncode == 0, done.stderr
    assert done.stdout == b"Printed 1 on zebra-1: the printer's counter rose by it.\n"
    assert printer.labels == [LABEL.strip()]
    data = {"package": "PARCEL003", "printer": "zebra-1", "copies": 1, "proof": 2}
    assert stored(config) == [data]


def test_a_label_that_is_scanned_has_the_highest_proof(
    config: Path, scanner: SimulatedScanner
) -> None:
    assert run(config, "--printer", "zebra-1", "--package", "PARCEL003", "-").returncode == 0

    deadline = time.monotonic() + 20
    while [row["proof"] for row in stored(config)] != [2, 4]:
        assert time.monotonic() < deadline, stored(config)
        scanner.scan("PARCEL003")  # until its port is open nobody hears it
        time.sleep(0.1)


def test_what_is_not_printed_is_said_and_not_recorded(
    config: Path, printer: SimulatedPrinter
) -> None:
    printer.head_open = True
    done = run(config, "--printer", "zebra-1", "--json", "-")
    ended = json.loads(done.stdout)
    assert (done.returncode, ended["outcome"], ended["proof"]) == (1, "failed", None)
    assert stored(config) == []


def test_a_label_as_large_as_a_socket_takes_and_one_that_is_larger(
    config: Path, printer: SimulatedPrinter
) -> None:
    large = b"^XA^FD" + b"x" * 1_400_000 + b"^FS^XZ"
    assert run(config, "--printer", "zebra-1", "-", data=large).returncode == 0
    done = run(config, "--printer", "zebra-1", "-", data=large + b" " * 200_000)
    assert (done.returncode, printer.labels) == (2, [large])


def test_mistakes_are_told(config: Path) -> None:
    done = run(config, "--printer", "zebra-9", "-")
    assert done.returncode == 2
    assert b"Known: zebra-1." in done.stderr
    socket = config.parent / "agent.sock"
    for question in (
        {"printer": "zebra-1", "data_base64": "?"},
        {"printer": "zebra-1", "data_base64": "", "copies": 0},
        {"printer": "zebra-1", "data_base64": "", "document": 7},
        {},
    ):
        with pytest.raises(Rejected):
            list(ask(socket, "print", **question))
