"""What anybody may know of a target: whether Odoo takes events, and if not, why not. Pure."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from edge_contract.scalars import Instant

#: ``starting``: Odoo was not asked yet. ``ok``: the last call was answered. ``failing``: it was
#: not, and is tried again soon. ``unreachable``: several in a row were not; the circuit is open.
#: ``stopped``: a person must act.
State = Literal["starting", "ok", "failing", "unreachable", "stopped"]
#: How heartbeats spell it.
Told = Literal["ok", "unreachable", "stopped", "unconfigured"]


class TargetStatus(BaseModel):
    """A target as ``/v1/sites``, the control socket and heartbeats show it."""

    model_config = ConfigDict(frozen=True)

    target: str
    state: State
    since: Instant
    """When it entered that state."""
    code: str = ""
    message: str = ""
    """Why it is not ``ok``, in a sentence."""
    remedy: str = ""
    retry_at: Instant | None = None
    failures: int = 0
    """Calls in a row without an answer."""
    batch_limit: int = 0
    """Most events in the next call: halved when a call fails though Odoo answers, grown after."""
    unsure: int = 0
    """Events whose outcome is unknown: they are sent again first."""
    counters: dict[str, int] = {}
    """Since the relay started: ``calls``, ``applied``, ``duplicate``, ``refused``, ``skipped``,
    ``short``, ``failed_calls``."""

    def told(self) -> Told:
        if self.state == "stopped":
            unset = self.code in {"not_installed", "configuration", "bad_key", "no_rights"}
            return "unconfigured" if unset else "stopped"
        return "unreachable" if self.state in {"failing", "unreachable"} else "ok"
