"""The demo's own devices: a packer who waits for the beep, and an app known by its profile only."""

from __future__ import annotations

import threading
import time
import tomllib
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import serial

from edge_agent.devices.profiles.library import ProfileLibrary, parse_profile
from edge_agent.devices.profiles.resolve import configured_devices
from edge_agent.devices.scanners.events import event_of
from edge_agent.devices.scanners.payloads import read_payload
from edge_agent.devices.scanners.reads import MappedEvent
from edge_agent.devices.settings import DeviceSettings
from edge_contract.event import DeviceEvent
from edge_sandbox.demo import lift
from edge_sandbox.demo.bench import BEEP, BenchScanner
from edge_sandbox.demo.floor import Floor
from edge_sandbox.demo.plan import BENCH, LIFT, Plan, Step, plan_shift
from edge_sandbox.demo.verdict import Verdict, judge_events, judge_reads

ARRIVED = datetime(2026, 11, 25, 6, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plan_shift(seed=3, scans=300, pace=0.1)


def reads_of(plan: Plan) -> list[str]:
    return [step.data["barcode"] for step in plan.steps if step.device == BENCH]


def test_a_shift_has_reads_of_the_bench_and_jobs_of_the_forklift(plan: Plan) -> None:
    by_device = Counter((step.device, step.kind) for step in plan.steps)
    assert by_device[BENCH, "scan.read"] > 5
    assert by_device[LIFT, "stock.moved"] > 5
    labels = reads_of(plan)
    assert len(labels) == len(set(labels)), "each label is one read, so a second one is noticed"


def test_every_section_the_floor_writes_is_a_device_that_the_agent_knows(tmp_path: Path) -> None:
    lift.write_profile(tmp_path)
    with Floor() as floor:
        tables = tomllib.loads(floor.agent_options())
        settings = {
            name: DeviceSettings.model_validate({"name": name, **table})
            for name, table in tables["devices"].items()
        }
    devices = configured_devices(settings, ProfileLibrary(tmp_path / "profiles"))
    assert {device.device_class for device in devices} == {"scale", "printer", "scanner"}
    assert {device.transport for device in devices} == {"serial", "tcp", "mqtt"}
    assert tables["devices"][BENCH]["station"] == tables["devices"]["scale-1"]["station"]


def test_the_profile_alone_makes_of_a_job_the_move_that_the_plan_knows(plan: Plan) -> None:
    profile = parse_profile(lift.PROFILE_TEXT, "acme.toml")
    assert profile.scanner is not None
    for step in (one for one in plan.steps if one.device == LIFT):
        event = {"id": str(step.event), "seq": 7, "kind": step.kind, "data": step.data}
        (result,) = read_payload(profile.scanner, lift.payload(event, ARRIVED))
        assert isinstance(result, MappedEvent)
        made = event_of(LIFT, result, ARRIVED)
        assert isinstance(made, DeviceEvent)
        said = {name: value for name, value in made.data.items() if name != "gs1"}
        assert (made.id, made.kind, said, made.time) == (step.event, step.kind, step.data, ARRIVED)


def until(test: Callable[[], object], what: str, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not test():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.01)


class Agent:
    """Reads labels off the port and beeps for those that it is told to store."""

    def __init__(self, port: str, stores: Callable[[int], bool]) -> None:
        self.heard: list[str] = []
        self._stores = stores
        self._port = serial.serial_for_url(port, timeout=0.02)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        rest = b""
        while not self._closing.is_set():
            *frames, rest = (rest + self._port.read(64)).split(b"\x03")
            for frame in frames:
                self.heard.append(frame.lstrip(b"\x02$").decode())
                if self._stores(len(self.heard)):
                    self._port.write(BEEP.encode())

    def close(self) -> None:
        self._closing.set()
        self._thread.join(5)
        self._port.close()


def test_a_packer_scans_again_until_there_is_a_beep() -> None:
    with BenchScanner(patience_s=0.1) as bench:
        agent = Agent(bench.port, stores=lambda number: number != 2)
        for label in ("PARCEL1", "PARCEL2", "PARCEL3"):
            bench.scan({"data": {"barcode": label}})
        bench.wait_confirmed(10)
        agent.close()
    assert agent.heard == ["PARCEL1", "PARCEL2", "PARCEL2", "PARCEL3"]
    assert bench.acknowledged == ["PARCEL1", "PARCEL2", "PARCEL3"]
    assert bench.sent == Counter(PARCEL1=1, PARCEL2=2, PARCEL3=1)


def test_a_packer_without_an_agent_has_nothing_acknowledged() -> None:
    with BenchScanner(patience_s=0.05) as bench:
        bench.scan({"data": {"barcode": "PARCEL1"}})
        until(lambda: bench.sent["PARCEL1"] > 2, "scanned again and again")
        assert bench.acknowledged == []
        with pytest.raises(TimeoutError, match="never answered"):
            bench.wait_confirmed(0.05)


def judged(plan: Plan, stored: dict[str, int], sent: dict[str, int] | None = None) -> Verdict:
    verdict, labels = Verdict(), reads_of(plan)
    judge_reads(verdict, plan.steps, sent or dict.fromkeys(labels, 1), labels, stored)
    return verdict


def test_a_label_with_its_beep_is_stored_once(plan: Plan) -> None:
    labels = reads_of(plan)
    good = judged(plan, dict.fromkeys(labels, 1))
    assert (good.acked, good.traced, good.lost, good.duplicated) == (len(labels), len(labels), 0, 0)
    lost = judged(plan, dict.fromkeys(labels[1:], 1))
    assert (lost.lost, lost.traced) == (1, len(labels) - 1)
    assert labels[0] in lost.details[0]
    twice = judged(plan, {**dict.fromkeys(labels, 1), labels[2]: 2})
    assert twice.duplicated == 1
    again = {**dict.fromkeys(labels, 1), labels[2]: 2}
    assert judged(plan, again, again).duplicated == 0, "it was scanned twice"
    strange = judged(plan, {**dict.fromkeys(labels, 1), "NOBODY-SCANNED-THIS": 1})
    assert strange.duplicated == 1


def test_a_label_without_its_beep_is_told_and_not_acknowledged(plan: Plan) -> None:
    labels = reads_of(plan)
    verdict = Verdict()
    judge_reads(verdict, plan.steps, {}, labels[1:], dict.fromkeys(labels[1:], 1))
    assert (verdict.acked, verdict.lost) == (len(labels) - 1, 0)
    assert "never got its beep" in verdict.details[0]


def test_a_job_that_the_broker_took_and_nobody_knows_is_lost() -> None:
    steps = [
        Step(0.0, device, "stock.moved", {"barcode": "1", "quantity": "1"}, uuid4())
        for device in (LIFT, LIFT, "floor-1")
    ]
    taken: dict[str, set[str]] = {LIFT: {str(steps[0].event), str(steps[1].event)}}
    taken["floor-1"] = {str(steps[2].event)}

    def ladder(device: str, event: str) -> dict[str, Any] | None:
        return None if event == str(steps[1].event) else {"status": "applied", "number": 1}

    verdict = Verdict()
    judge_events(verdict, steps, taken, ladder)
    assert (verdict.acked, verdict.taken, verdict.applied, verdict.lost) == (1, 2, 2, 1)


def test_a_class_of_devices_that_was_never_heard_fails_the_shift() -> None:
    verdict = Verdict(agent_kills=1, relay_kills=1, heard={"scale": 3, "printer": 1})
    assert verdict.failures(faults=True) == []
    verdict.heard["serial scanner"] = 0
    assert verdict.failures(faults=True) == ["nothing was heard of any serial scanner"]
