"""Resident memory of the agent, idle and with a million events that wait; of the relay, idle.

Method. Real processes; ``VmRSS`` and ``VmHWM`` (the peak) of ``/proc``. The agent with the backlog
first finds the relay and then drains into it for a while, so its peak is that of work, not of a
sleeping file. Odoo is out of reach. MB are 10^6 bytes.
"""

from __future__ import annotations

import time

from benchmarks.away import Agent, relay_alone
from benchmarks.figures import Aim, Figure
from benchmarks.scans import DEVICES
from benchmarks.stage import Stage, resident_mb
from edge_sandbox.broker import Broker
from edge_sandbox.rig import until

AIM = Aim("ours", "≤", 120)


def run(stage: Stage) -> list[Figure]:
    settle, drain = stage.size((10.0, 20.0), (1.0, 3.0))
    folder = stage.folder("memory")
    large = stage.large_outbox
    with relay_alone(folder / "relay") as relay, Broker(DEVICES) as broker:
        stage.say("memory: an idle agent")
        (folder / "idle").mkdir()
        with Agent(folder / "idle", folder / "idle" / "outbox.db", relay, broker) as agent:
            until(lambda: agent.status()["uplink"]["link"] == "up", 30, "uplink")
            time.sleep(settle)
            idle, relay_idle = resident_mb(agent.pid), resident_mb(relay.part.pid)
        stage.say("memory: an agent with a backlog")
        (folder / "large").mkdir()
        with Agent(folder / "large", large, relay, broker) as agent:
            until(lambda: agent.status()["uplink"]["link"] == "up", 60, "uplink")
            rows = agent.status()["outbox"]["unrelayed"]
            time.sleep(drain)
            left = agent.status()["outbox"]["unrelayed"]
            peak = resident_mb(agent.pid, peak=True)
            relay_peak = resident_mb(relay.part.pid, peak=True)
    if not 0 < left < rows:
        raise RuntimeError(f"the agent was to be measured while it drains; {left} of {rows} left")
    return [
        Figure("agent's memory, idle", "MB", idle, aim=AIM),
        Figure(f"agent's memory at its peak, draining {rows:,} events", "MB", peak, aim=AIM),
        Figure("relay's memory, idle", "MB", relay_idle),
        Figure("relay's memory at its peak, taking them in", "MB", relay_peak),
    ]
