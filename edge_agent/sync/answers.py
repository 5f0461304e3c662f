"""What an answer other than 2xx means for the agent: retry, split, or call a person. Pure."""

from __future__ import annotations

import re

from pydantic import ValidationError

from edge_agent.sync.port import BatchRefused, Busy, GenerationReused, RateLimited
from edge_contract.errors import EdgeError, NeedsOperator
from edge_contract.problem import PROBLEM_MEDIA_TYPE, Problem

#: The longest patience a relay (or a proxy before it) can ask for, in seconds.
MAX_RETRY_AFTER_S = 300.0

#: Remedies where the relay gives none.
_REMEDIES = {
    "unauthenticated": "Check uplink.token_file against the token the relay has for this site.",
    "forbidden": "Ask the central team whether this site is enabled at the relay.",
    "conflict": "Find the second host that runs with this agent's name and outbox, and stop one.",
    "storage-full": "The central team must free room at the relay; events are kept here meanwhile.",
}
_POSITION = re.compile(r"[0-9]{1,15}")
_STATUS_CODES = {401: "unauthenticated", 403: "forbidden", 507: "storage-full"}


def retry_after(header: str | None) -> float:
    """``Retry-After`` in seconds, 0 when absent, unreadable or a date (no relay sends dates)."""
    try:
        seconds = float(header or 0)
    except ValueError:
        return 0.0
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S) if seconds == seconds else 0.0


def error_for(status: int, media_type: str, body: bytes, patience: float, url: str) -> EdgeError:
    """The error to raise for an answer with ``status`` >= 300."""
    problem = _problem(media_type, body)
    if problem is None:
        return _unexplained(status, patience, url)
    kind = problem.type.rpartition("/")[2]
    said = problem.detail or problem.title
    remedy = problem.remedy or _REMEDIES.get(kind, "")
    if kind == "generation-reused":
        return GenerationReused(said)
    if kind in ("bad-batch", "too-large"):
        return BatchRefused(kind, said, _positions(problem))
    if kind == "rate-limited":
        return RateLimited(f"The relay slows this agent down: {said}", patience)
    if kind == "unavailable":
        return Busy(f"The relay is busy: {said}", patience)
    if kind in ("conflict", "storage-full", "unauthenticated", "forbidden") or status < 500:
        return NeedsOperator(kind, said, remedy)
    return Busy(f"The relay has a fault ({status}): {said}", patience)


def _unexplained(status: int, patience: float, url: str) -> EdgeError:
    """No problem document: a proxy or another server speaks, not the relay."""
    if status in (408, 425, 429) or (status >= 500 and status != 507):
        return Busy(f"{url} answers {status} without saying why.", patience)
    code = _STATUS_CODES.get(status, f"http-{status}")
    return NeedsOperator(
        code,
        f"{url} answers {status} and is perhaps no relay.",
        _REMEDIES.get(code, "Check uplink.url, and any proxy between here and the relay."),
    )


def _problem(media_type: str, body: bytes) -> Problem | None:
    if media_type.partition(";")[0].strip().lower() != PROBLEM_MEDIA_TYPE:
        return None
    try:
        return Problem.model_validate_json(body)
    except ValidationError:
        return None


def _positions(problem: Problem) -> frozenset[int]:
    """The extension members ``position`` or ``positions``: which events are at fault."""
    extra = problem.model_extra or {}
    named = extra.get("positions", [extra.get("position")])
    if not isinstance(named, list):
        return frozenset()
    return frozenset(int(item) for item in named if _POSITION.fullmatch(str(item)))
