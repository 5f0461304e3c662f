"""The demo itself: plays a shift while things go wrong, and judges the result."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx

from edge_agent.devices.simulate.handheld import Handheld
from edge_sandbox.demo import verdict as judging
from edge_sandbox.demo import warehouse
from edge_sandbox.demo.floor import CLASSES
from edge_sandbox.demo.plan import BENCH, LIFT
from edge_sandbox.demo.shift import Happening, play
from edge_sandbox.demo.stage import Options, Stage
from edge_sandbox.demo.verdict import Verdict
from edge_sandbox.demo.view import View
from edge_sandbox.rig import until

#: Most seconds for everything to arrive after the last scan, for each event.
DRAIN_S, DRAIN_S_PER_EVENT = 120.0, 0.3


def run_shift(stage: Stage, options: Options, view: View) -> Verdict:
    """Play the shift, wait until everything arrived, and judge."""
    started = time.monotonic()
    done = threading.Event()
    watcher = threading.Thread(
        target=_watch, args=(stage, view, started, done), name="watch", daemon=True
    )
    watcher.start()
    try:
        play(
            stage.plan,
            stage.made.documents,
            stage.devices,
            happenings(stage, options) if options.faults else [],
            view.tell,
            stage.floor.before_scan,
        )
        view.step("the last scan; what is on its way arrives")
        _drain(stage, view)
    finally:
        done.set()
        watcher.join(10)
    verdict = Verdict(
        agent_kills=stage.rig.agent.part.kills,
        relay_kills=stage.rig.relay.part.kills,
        uplink_cut_s=round(stage.cut_seconds, 1),
        seconds=round(time.monotonic() - started, 1),
    )
    view.step("Odoo's books against what happened")
    judge(verdict, stage)
    return verdict


def happenings(stage: Stage, options: Options) -> list[Happening]:
    """What goes wrong in a shift, and when (as a part of it), shaken a little by the seed."""
    rig, floor, rng = stage.rig, stage.floor, random.Random(options.seed)
    away = stage.handhelds["floor-1"]
    far = stage.handhelds["dock-1"]

    def leave(handheld: Handheld) -> Callable[[], None]:
        def act() -> None:
            handheld.leave()
            stage.marks[handheld.device] = "away"

        return act

    def rejoin(handheld: Handheld) -> Callable[[], None]:
        def act() -> None:
            stage.marks.pop(handheld.device, None)
            handheld.rejoin()

        return act

    def cut() -> None:
        rig.agent.uplink.set("cut")
        stage.cut_since = time.monotonic()
        stage.marks["uplink"] = "cut"

    def mend() -> None:
        rig.agent.uplink.set("pass")
        if stage.cut_since is not None:
            stage.cut_seconds += time.monotonic() - stage.cut_since
        stage.cut_since = None
        stage.marks.pop("uplink", None)

    def kill_agent() -> None:
        rig.agent.part.kill()
        rig.agent.part.launch()

    def kill_relay() -> None:
        rig.relay.part.kill()
        rig.relay.part.launch()

    def kill_both() -> None:
        kill_relay()
        kill_agent()

    def deaf() -> None:
        rig.relay.odoo_link.set("swallow_reply")
        stage.marks["Odoo"] = "down: its answers are lost"

    def hears() -> None:
        rig.relay.odoo_link.set("cut")
        rig.relay.odoo_link.set("pass")
        stage.marks.pop("Odoo", None)

    def mark(name: str, what: str, act: Callable[[], None]) -> Callable[[], None]:
        def do() -> None:
            stage.marks[name] = what
            act()

        return do

    planned = [
        (0.12, "handheld floor-1 leaves the Wi-Fi and goes on scanning", leave(away)),
        (0.22, "the uplink is cut", cut),
        (0.30, "kill -9 of the agent, in the middle of the shift", kill_agent),
        (
            0.34,
            "the cable of the bench's scanner is pulled",
            mark(BENCH, "away", floor.scanner_out),
        ),
        (0.38, "handheld floor-1 is back and delivers late", rejoin(away)),
        (0.44, "the uplink is back", mend),
        (0.46, "noise and an overload on the packing scale", floor.scale_trouble),
        (0.48, "the bench's scanner is plugged in again", mark(BENCH, "online", floor.scanner_in)),
        (0.50, "the printer runs out of labels", floor.media_out),
        (0.54, "kill -9 of the relay", kill_relay),
        (0.58, "the printer has a new roll", floor.media_in),
        (0.62, "handheld dock-1 leaves the Wi-Fi", leave(far)),
        (0.66, "Odoo works but its answers are lost on the way", deaf),
        (0.72, "Odoo's answers arrive again", hears),
        (0.76, "handheld dock-1 is back", rejoin(far)),
        (0.82, "kill -9 of agent and relay at once", kill_both),
    ]
    return [
        Happening(min(0.99, at + rng.uniform(-0.015, 0.015)), what, act)
        for at, what, act in planned
    ]


def _drain(stage: Stage, view: View) -> None:
    deadline = DRAIN_S + DRAIN_S_PER_EVENT * len(stage.plan.steps)
    for handheld in stage.handhelds.values():
        if not handheld.online:
            handheld.rejoin()
    for part in (stage.rig.relay.part, stage.rig.agent.part):
        part.launch()
        part.wait_ready()
    stage.floor.scanner_in()
    for handheld in stage.handhelds.values():
        handheld.wait_confirmed(deadline)
    stage.floor.bench.wait_confirmed(deadline)
    stage.forklift.wait_taken(deadline)
    view.step("every scan is confirmed to its device, and the broker has the forklift's jobs")

    def settled() -> bool:
        mine = stage.rig.agent.status()
        if mine["outbox"]["unrelayed"]:
            return False
        lag = stage.rig.relay.site(stage.rig.site)
        return bool(lag["waiting"] == lag["behind_held"])

    try:
        until(settled, deadline, "end of the events that wait to be applied")
    except TimeoutError as error:
        view.tell("demo", f"{error}; the verdict says which")


def judge(verdict: Verdict, stage: Stage) -> None:
    """Fill the verdict from the devices, the relay and Odoo."""
    confirmed = {
        name: {str(event) for event in handheld.confirmed}
        for name, handheld in stage.handhelds.items()
    }
    confirmed[LIFT] = stage.forklift.taken
    ladders: dict[tuple[str, str], dict[str, Any] | None] = {}

    def ladder(device: str, event: str) -> dict[str, Any] | None:
        ladders[device, event] = stage.rig.relay.event(device, event)
        return ladders[device, event]

    judging.judge_events(verdict, stage.plan.steps, confirmed, ladder)
    bench, stored = stage.floor.bench, list(stage.rig.agent.stored())
    judging.judge_reads(verdict, stage.plan.steps, bench.sent, bench.acknowledged, _labels(stored))
    verdict.heard = _heard(stored)
    arrivals: dict[str, list[tuple[int, int]]] = {}
    for scanned, step in enumerate(stage.plan.steps):
        found = ladders.get((step.device, str(step.event)))
        if found:
            arrivals.setdefault(step.device, []).append((found["number"], scanned))
    judging.judge_order(
        verdict,
        {device: [scanned for _, scanned in sorted(pairs)] for device, pairs in arrivals.items()},
        warehouse.inversions(stage.made, stage.plan),
    )
    judging.judge_books(verdict, warehouse.ledger(stage.made), stage.plan)
    judging.judge_stock(verdict, warehouse.figures(stage.made), stage.plan)


def _labels(stored: list[dict[str, Any]]) -> Counter[str]:
    """How often each label of the bench scanner is in the outbox."""
    return Counter(
        row["event"]["data"]["barcode"]
        for row in stored
        if _device(row) == BENCH and row["event"]["type"] == "warehouse.scan.read.v1"
    )


def _heard(stored: list[dict[str, Any]]) -> dict[str, int]:
    """Events in the outbox for each class of devices."""
    heard = dict.fromkeys(["handheld", *CLASSES.values()], 0)
    for row in stored:
        heard[CLASSES.get(_device(row), "handheld")] += 1
    return heard


def _device(row: dict[str, Any]) -> str:
    return str(row["event"]["source"]).rpartition("/")[2]


def _watch(stage: Stage, view: View, started: float, done: threading.Event) -> None:
    """Show how things are, until told to stop; a part that is down is shown as down."""
    while not done.wait(0.5):
        view.show(_figures(stage), (time.monotonic() - started) / max(1.0, stage.plan.seconds))


def _figures(stage: Stage) -> dict[str, str]:
    rig, marks = stage.rig, stage.marks
    confirmed = sum(len(handheld.confirmed) for handheld in stage.handhelds.values())
    kept = sum(len(handheld.unconfirmed) for handheld in stage.handhelds.values())
    shown = {"confirmed": str(confirmed), "on handhelds": str(kept)}
    try:
        lag = rig.relay.site(rig.site)
        shown |= {
            "waiting at the relay": str(lag["waiting"]),
            "applied": str(lag["applied"]),
            "held": str(lag["held"]),
        }
        relay = "up"
    except (httpx.HTTPError, StopIteration):
        relay = "down"
    shown |= {
        "agent": "up" if rig.agent.part.running else "killed",
        "relay": relay,
        "uplink": marks.get("uplink", "up"),
        "Odoo": marks.get("Odoo", "up"),
    }
    for device in stage.handhelds:
        shown[f"handheld {device}"] = marks.get(device, "online")
    return shown | _of_the_floor(stage)


def _of_the_floor(stage: Stage) -> dict[str, str]:
    """The devices that are no handhelds, by their class."""
    floor = stage.floor
    beeps = len(floor.bench.acknowledged)
    return {
        f"serial scanner {BENCH}": f"{stage.marks.get(BENCH, 'online')}, {beeps} beeps",
        f"app by profile {LIFT}": f"online, {len(stage.forklift.taken)} jobs taken",
        "scales": f"online, {floor.weighed} loads",
        "printer": "down: no labels" if floor.printer.media_out else "ok",
    }
