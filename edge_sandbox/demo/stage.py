"""The site of the demo: its warehouse in Odoo, its parts and its devices, ready for a shift."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from edge_agent.devices.simulate.handheld import Handheld
from edge_sandbox.demo import lift, warehouse
from edge_sandbox.demo.floor import Floor
from edge_sandbox.demo.lift import ForkliftTerminal
from edge_sandbox.demo.plan import BENCH, CATALOGUE, LIFT, Plan, plan_shift
from edge_sandbox.demo.shift import Device
from edge_sandbox.demo.view import View
from edge_sandbox.rig import OdooTarget, Rig, install_action

#: Seconds between scans; a longer shift scans faster, so that it ends on the same day.
PACE, FAST_PACE, MANY_SCANS = 0.15, 0.07, 1000
#: One handheld's clock is this wrong, and the agent has to notice.
WRONG_CLOCK = timedelta(seconds=97)


@dataclass(frozen=True, slots=True)
class Options:
    """What a run is asked for."""

    seed: int
    scans: int
    faults: bool = True


@dataclass(slots=True)
class Stage:
    """Everything that runs, for the happenings to act on and for ``--exit``-less runs to show."""

    rig: Rig
    floor: Floor
    handhelds: dict[str, Handheld]
    forklift: ForkliftTerminal
    plan: Plan
    made: warehouse.Warehouse
    cut_since: float | None = None
    cut_seconds: float = 0.0
    marks: dict[str, str] = field(default_factory=dict)
    """What is shown of links that are broken on purpose."""

    @property
    def devices(self) -> dict[str, Device]:
        """Who does the steps of the plan."""
        return {**self.handhelds, LIFT: self.forklift, BENCH: self.floor.bench}


@contextmanager
def set_up(options: Options, target: OdooTarget, folder: Path, view: View) -> Iterator[Stage]:
    """The warehouse in Odoo, and the site in front of it, ready for the first scan."""
    pace = FAST_PACE if options.scans >= MANY_SCANS else PACE
    plan = plan_shift(options.seed, options.scans, pace)
    view.step(f"a shift of {len(plan.steps)} events, seed {options.seed}")
    made = warehouse.build(target.admin, CATALOGUE, plan, lambda what: view.step(f"Odoo: {what}"))
    view.step("Odoo: the server action, with an administrator's key used once")
    install_action(target)
    devices = sorted({step.device for step in plan.steps} - {LIFT, BENCH})
    with ExitStack() as stack:
        floor = stack.enter_context(Floor())
        lift.write_profile(folder / "agent")
        view.step("broker, relay and agent start")
        rig = stack.enter_context(
            Rig(
                folder,
                target,
                [*devices, LIFT],
                agent_options=floor.agent_options(),
                acl=lift.ACL,
                target_options="straggler_grace_s = 60\ntimeout_s = 60\n",
            )
        )
        handhelds = {}
        for device in devices:
            wrong = WRONG_CLOCK if device == "floor-2" else timedelta(0)
            handhelds[device] = stack.enter_context(
                Handheld(
                    device,
                    rig.agent.broker.host,
                    rig.agent.broker.port,
                    password=rig.agent.broker.password(device),
                    clock=lambda wrong=wrong: datetime.now(UTC) + wrong,  # type: ignore[misc]
                )
            )
        broker = rig.agent.broker
        forklift = stack.enter_context(
            ForkliftTerminal(LIFT, broker.host, broker.port, broker.password(LIFT))
        )
        view.step(
            f"{len(handhelds)} handhelds, two scales (MT-SICS on a serial line, Toledo on TCP), a "
            "label printer, a serial scanner, and a forklift's app known by a profile only"
        )
        yield Stage(rig, floor, handhelds, forklift, plan, made)
