"""The agent process with a scale on a pseudo-terminal and a printer on TCP, and no relay at all."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_agent.devices.simulate.printer import SimulatedPrinter
from edge_agent.devices.simulate.scale import SimulatedScale
from edge_agent.status import ask
from edge_contract.errors import EdgeError
from edge_sandbox.process import Part


def until(test: Callable[[], object], what: str, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not test():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.02)


class Bench:
    """The agent of a packing bench."""

    def __init__(self, directory: Path, scale: SimulatedScale, printer: SimulatedPrinter) -> None:
        self.socket = directory / "agent.sock"
        config = directory / "agent.toml"
        config.write_text(
            f"""
[site]
name = "dc1"
agent = "bench"
[outbox]
path = "outbox.db"
min_free_bytes = 1048576
[devices.scale-1]
profile = "mt-sics"
port = "{scale.port}"
override.scale.poll_interval_s = 0.05
[devices.zebra-1]
profile = "zebra-zpl"
host = "{printer.host}:{printer.port}"
override.printer.poll_interval_s = 0.1
[status]
socket = "agent.sock"
"""
        )
        self.part = Part(
            "agent",
            [sys.executable, "-m", "edge_agent", "run", "--config", str(config)],
            directory / "agent.log",
            ready=self._ready,
        )

    def status(self) -> dict[str, Any]:
        (report,) = ask(self.socket, "status")
        return dict(report)

    def said(self, kind: str) -> list[dict[str, Any]]:
        """``data`` of every stored event of a kind."""
        return [
            row["event"]["data"]
            for row in ask(self.socket, "outbox.list", limit=1000)
            if row["event"]["type"] == f"warehouse.{kind}.v1"
        ]

    def health(self) -> dict[str, str]:
        return {link["name"]: link["health"] for link in self.status()["links"]}

    def _ready(self) -> bool:
        try:
            return bool(self.status())
        except EdgeError:
            return False


@pytest.fixture
def scale() -> Iterator[SimulatedScale]:
    with SimulatedScale() as simulated:
        yield simulated


@pytest.fixture
def printer() -> Iterator[SimulatedPrinter]:
    with SimulatedPrinter() as simulated:
        yield simulated


def test_weights_and_printer_states_are_stored_and_a_fault_of_one_is_not_the_others(
    tmp_path: Path, scale: SimulatedScale, printer: SimulatedPrinter
) -> None:
    bench = Bench(tmp_path, scale, printer)
    with bench.part:
        scale.put("1.250")
        until(
            lambda: [w["weight"] for w in bench.said("weight.measured")][-1:] == ["1.250"],
            "a weight",
        )
        until(lambda: bench.said("printer.state")[-1:], "a state")
        assert bench.said("printer.state")[-1]["status"] == "ok"
        scale.unplug()
        until(lambda: bench.health()["scale-1"] in ("down", "fault"), "seen to be gone")
        assert bench.health()["zebra-1"] == "up"
        printer.switch_off()
        until(lambda: bench.health()["zebra-1"] == "down", "seen to be off")
        scale.replug()
        scale.put("2.500")
        until(
            lambda: [w["weight"] for w in bench.said("weight.measured")][-1:] == ["2.500"],
            "back again",
        )
        report = bench.status()
        assert report["uplink"] is None
        assert report["outbox"]["unrelayed"] == report["outbox"]["newest_position"]
        assert report["counters"]["scale.stored"] >= 2
        bench.part.signal(signal.SIGTERM)
        assert bench.part.wait_exit(10) == 0
