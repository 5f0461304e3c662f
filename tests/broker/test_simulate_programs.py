"""The simulators as programs: what they print works when pasted, and a signal ends them cleanly."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from edge_agent.devices.profiles.library import ProfileLibrary
from edge_agent.devices.profiles.resolve import ConfiguredDevice, configured_devices
from edge_agent.devices.scales.link import ScaleLink
from edge_agent.devices.scanners.link import ScannerLink
from edge_agent.devices.scanners.payloads import read_payload
from edge_agent.devices.scanners.reads import ScannerRead
from edge_agent.devices.settings import DeviceSettings
from edge_sandbox.broker import Broker

PROTOCOLS = (
    "mt-sics",
    "toledo-8217",
    "toledo-8213",
    "toledo-continuous",
    "nci-scp01",
    "sma",
    "and-standard",
    "sartorius-sbi",
    "ohaus",
    "adam",
)


class Program:
    """One simulator in a process of its own."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "edge_agent", "simulate", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "EDGE_AGENT_CONFIG": "/etc/warehouse-edge/agent.toml"},
        )
        self.said = ""
        for line in self.process.stdout or ():
            self.said += line
            if "Ctrl-C ends it" in line:
                break

    def type(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def device(self, **override: Any) -> ConfiguredDevice:
        """The table it prints, as the agent takes it."""
        table = "\n".join(re.findall(r"^(?:\[|\w[\w.]* = ).*$", self.said, re.MULTILINE))
        [(name, found)] = tomllib.loads(table)["devices"].items()
        for part, changes in override.items():
            found.setdefault("override", {}).setdefault(part, {}).update(changes)
        settings = DeviceSettings.model_validate({"name": name, **found})
        [device] = configured_devices({name: settings}, ProfileLibrary())
        return device

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.communicate(timeout=10)
        return self.process.returncode


Make = Callable[..., Program]


@pytest.fixture
def program() -> Iterator[Make]:
    started: list[Program] = []

    def make(*arguments: str) -> Program:
        started.append(Program(*arguments))
        return started[-1]

    yield make
    for one in started:
        one.end()


def weights(outbox: Any) -> list[str]:
    events = (one.event for one in outbox.readings)
    return [event.data["weight"] for event in events if event.kind == "weight.measured"]


QUICK = {"poll_interval_s": 0.02, "reply_timeout_s": 0.3}


@pytest.mark.parametrize(
    ("protocol", "place"),
    [(protocol, "pty") for protocol in PROTOCOLS]
    + [(protocol, "tcp") for protocol in ("mt-sics", "toledo-8217", "toledo-continuous")],
)
def test_the_agent_reads_what_lies_on_a_scale_by_the_table_that_is_printed(
    protocol: str, place: str, program: Make, outbox: Any, now: Any, until: Any, tmp_path: Path
) -> None:
    line = ["--pty", str(tmp_path / "port")] if place == "pty" else ["--listen", "127.0.0.1:0"]
    scale = program("scale", "--protocol", protocol, "--weight", "12.34", *line)
    assert f"A simulated scale ({protocol}) listens at " in scale.said.splitlines()[0]
    link = ScaleLink(scale.device(scale=QUICK), outbox.append_blocking, now)
    link.start()
    try:
        until(lambda: weights(outbox) == ["12.34"], f"weighed: {link.state()}")
        scale.type("overload")
        until(lambda: link.state().health == "fault", "the overload is shown")
        scale.type("put 2.50")
        until(lambda: weights(outbox) == ["12.34", "2.50"], "weighed again")
        scale.type("unplug")
        until(lambda: link.state().health == "down", "it is seen to be gone", 3)
        scale.type("replug")
        until(lambda: link.state().health == "up", "it is back")
    finally:
        link.stop()
    assert set(weights(outbox)) == {"12.34", "2.50"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_its_link_is_gone(
    number: signal.Signals, program: Make, tmp_path: Path
) -> None:
    place = tmp_path / "scale"
    scale = program("scale", "--pty", str(place))
    assert place.is_symlink()
    assert scale.end(number) == 0
    assert not place.is_symlink()


def test_a_script_is_played_to_its_end(program: Make, tmp_path: Path) -> None:
    script = tmp_path / "faults.txt"
    script.write_text("# a short day\n0 put 1.500\n0.1 bogus\n0.2 quit\n")
    scale = program("scale", "--script", str(script))
    said, _ = scale.process.communicate(timeout=10)
    assert scale.process.returncode == 0
    assert "0.1 s: bogus" in said
    assert "Not done: 'bogus' is no command" in said


def test_typed_barcodes_are_read_by_the_agent(
    program: Make, outbox: Any, now: Any, until: Any
) -> None:
    scanner = program("scanner", "--profile", "serial-scanner")
    link = ScannerLink(scanner.device(), outbox.append_blocking, now)
    link.start()

    def reads() -> list[tuple[str, str | None]]:
        events = (one.event for one in outbox.readings if one.event.kind == "scan.read")
        return [(event.data["barcode"], event.data.get("symbology")) for event in events]

    try:
        until(lambda: link.state().health == "up", "the port is open")
        for typed in ("4006381333931", "]C10104006381333931{GS}10L1", "noread", "scan noread"):
            scanner.type(typed)
        until(
            lambda: (
                reads()
                == [("4006381333931", None), ("0104006381333931\x1d10L1", "]C1"), ("noread", None)]
                or link.state().counters.get("noreads", 0) > 1
            ),
            "all read",
        )
    finally:
        link.stop()
    assert reads()[:2] == [("4006381333931", None), ("0104006381333931\x1d10L1", "]C1")]
    assert link.state().counters["noreads"] >= 1


def test_typed_barcodes_are_published_as_a_fleet_would(
    program: Make, tmp_path: Path, until: Any
) -> None:
    acl = "pattern write scanners/%u/json\nuser agent\ntopic read scanners/#\n"
    with Broker(["gate-1"], acl=acl) as broker:
        heard: list[Any] = []
        client = Client(CallbackAPIVersion.VERSION2, "listener", protocol=MQTTv5)
        client.username_pw_set("agent", broker.password("agent"))
        client.on_message = lambda _client, _data, message: heard.append(message)
        client.on_connect = lambda *_: client.subscribe("scanners/#", 1)
        subscribed: list[int] = []
        client.on_subscribe = lambda *_: subscribed.append(1)
        client.connect(broker.host, broker.port)
        client.loop_start()
        until(lambda: subscribed, "subscribed")
        secret = tmp_path / "password"
        secret.write_text(broker.password("gate-1") + "\n")
        place = f"{broker.host}:{broker.port}"
        user = ["--username", "gate-1", "--password-file", str(secret)]
        scanner = program("scanner", "-p", "generic-json", "--mqtt", place, *user)
        scanner.type("4006381333931")
        until(lambda: heard, "published")
        client.disconnect()
        client.loop_stop()
        assert heard[0].topic == "scanners/gate-1/json"
        profile = ProfileLibrary().get("generic-json").scanner
        assert profile is not None
        (read,) = read_payload(profile, heard[0].payload)
        assert isinstance(read, ScannerRead)
        assert read.data == "4006381333931"
        assert scanner.end() == 0


def test_a_broker_that_does_not_want_it_is_told_of(program: Make, tmp_path: Path) -> None:
    with Broker(["gate-1"]) as broker:
        secret = tmp_path / "password"
        secret.write_text("wrong\n")
        place = f"{broker.host}:{broker.port}"
        user = ["--username", "gate-1", "--password-file", str(secret)]
        refused = program("scanner", "-p", "generic-json", "--mqtt", place, *user)
        assert refused.end() == 2
        assert "not authorized" in refused.said
        secret.write_text(broker.password("gate-1") + "\n")
        scanner = program("scanner", "-p", "generic-json", "--mqtt", place, *user)
        assert scanner.process.stdout is not None
        scanner.type("4006381333931")  # the access list has no such topic
        assert scanner.process.stdout.readline() == "The broker did not take it: not authorized.\n"
        assert scanner.end() == 0


def test_a_printer_answers_on_its_port(program: Make) -> None:
    printer = program("printer", "--language", "zpl", "--listen", "127.0.0.1:0")
    host, _, port = printer.device().address.rpartition(":")
    with socket.create_connection((host, int(port)), 5) as connection:
        connection.settimeout(5)
        connection.sendall(b"~HS\r\n")
        said, deadline = b"", time.monotonic() + 5
        while said.count(b"\x03") < 3:
            assert time.monotonic() < deadline
            said += connection.recv(1000)
    assert said.startswith(b"\x02030,0,0,")
    assert printer.end() == 0


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["scale", "--protocol", "no-such"], "There is no profile"),
        (["scale", "--protocol", "zebra-zpl"], "is a printer's"),
        (["scale", "--pty", "x", "--listen", ":0"], "exclude each other"),
        (["scale", "--listen", "nowhere"], "takes HOST:PORT"),
        (["scale", "--listen", "192.0.2.1:1"], "192.0.2.1:1 cannot be had"),
        (["scale", "--weight", "heavy"], "is no decimal text"),
        (["scale", "-p", "toledo-8217", "--weight", "123456789.0"], "wider than"),
        (["scale", "--script", "no-such-file"], "--script"),
        (["scale", "--pty", "/etc/hostname"], "no link of a simulator"),
        (["scanner", "--profile", "impinj-iot"], "has no [serial] line"),
        (["scanner", "--profile", "sick-lector", "--mqtt", ":1"], "has no topic"),
        (["scanner", "--mqtt", ":1", "--password-file", "no-such-file"], "no-such-file"),
        (
            ["scanner", "--mqtt", "127.0.0.1:1"],
            "The broker 127.0.0.1:1 cannot be reached: Connection refused",
        ),
    ],
)
def test_a_misuse_is_a_sentence_and_exit_2(arguments: list[str], why: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "edge_agent", "simulate", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert why in done.stderr
    assert "Traceback" not in done.stderr
