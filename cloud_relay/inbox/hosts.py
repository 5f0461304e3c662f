"""Whether two hosts live under one agent's name. No I/O."""

from __future__ import annotations

from datetime import datetime, timedelta

#: A heartbeat of a boot that ended may arrive late; after this long it is no straggler.
STRAGGLER = timedelta(minutes=1)


def lives(said: datetime, heard: datetime, successor_said: datetime, superseded: datetime) -> bool:
    """Whether a superseded boot is alive beside its successor, and not merely late on the way.

    ``said`` and ``heard``: the time in its heartbeat, and when that came in; ``successor_said``
    and ``superseded``: the same of the first heartbeat of the boot that took its place.
    """
    return said > successor_said or heard > superseded + STRAGGLER


def stop_message(site: str, agent: str) -> str:
    """What the host and the central team are told."""
    return (
        f"Two hosts run as agent {agent} of site {site}: this one was replaced by another that is "
        "alive. Stop the one that is a copy, or enrol it under a name of its own."
    )
