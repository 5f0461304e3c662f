"""``edge-agent devices test`` beside a running agent that holds the port."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_agent.devices.simulate.scale import SimulatedScale
from edge_agent.status import ask
from edge_contract.errors import EdgeError
from edge_sandbox.process import Part

AGENT = [sys.executable, "-m", "edge_agent"]


def until(test: Callable[[], object], what: str, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not test():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.02)


@pytest.fixture
def scale() -> Iterator[SimulatedScale]:
    with SimulatedScale() as simulated:
        yield simulated


def configured(directory: Path, *devices: str, port: str) -> Path:
    file = directory / "agent.toml"
    tables = "".join(
        f'[devices.{name}]\nprofile = "mt-sics"\nport = "{port}"\n'
        "override.scale.poll_interval_s = 0.05\n"
        for name in devices
    )
    file.write_text(
        '[site]\nname = "dc1"\nagent = "bench"\n'
        '[outbox]\npath = "outbox.db"\nmin_free_bytes = 1048576\n'
        f'[status]\nsocket = "agent.sock"\n{tables}'
    )
    return file


def test_the_agent_shows_what_its_scale_says_and_goes_on_storing(
    tmp_path: Path, scale: SimulatedScale
) -> None:
    config = configured(tmp_path, "scale-1", port=str(scale.port))
    socket = tmp_path / "agent.sock"

    def ready() -> bool:
        try:
            return bool(list(ask(socket, "status")))
        except EdgeError:
            return False

    def weights() -> list[str]:
        rows = ask(socket, "outbox.list", limit=1000)
        events = [row["event"] for row in rows]
        return [event["data"]["weight"] for event in events if "weight" in event["data"]]

    run = [*AGENT, "run", "--config", str(config)]
    with Part("agent", run, tmp_path / "agent.log", ready=ready) as part:
        scale.put("1.250")
        until(lambda: weights() == ["1.250"], "the first weight")
        look = subprocess.Popen(
            [*AGENT, "devices", "test", "scale-1", "--json", "--seconds", "3", "-c", str(config)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert look.stdout is not None
        begin = json.loads(look.stdout.readline())
        assert begin["by"] == "agent"
        scale.put("2.500")
        items: list[dict[str, Any]] = [json.loads(line) for line in look.stdout]
        look.stdout.close()
        assert look.wait(20) == 0
        shown = {item["said"]["value"] for item in items if item["what"] == "decoded"}
        assert "2.500" in shown
        assert any("2.500 kg" in item["text"] for item in items if item["what"] == "received")
        assert items[-1]["good"] is True
        until(lambda: weights() == ["1.250", "2.500"], "both weights, each of them once")
        # A device that the running agent does not know yet: its port is opened for the test.
        configured(tmp_path, "scale-2", port=str(scale.port))
        other = subprocess.run(
            [*AGENT, "devices", "test", "scale-2", "--seconds", "1", "-c", str(config)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert other.returncode == 1
        assert "does not know it yet" in other.stdout
        assert "one program at a time" in other.stdout  # the agent has it under its other name
        part.signal(signal.SIGTERM)
        assert part.wait_exit(10) == 0
