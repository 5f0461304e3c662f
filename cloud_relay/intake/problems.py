"""Refusals on their way to becoming RFC 9457 problem documents. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from edge_contract.errors import EdgeError, NeedsOperator, Rejected
from edge_contract.problem import PROBLEMS, Problem, problem


class Refusal(Exception):
    """The request ends here; nothing of it was stored."""

    def __init__(self, found: Problem, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{found.title}: {found.detail}")
        self.problem = found
        self.headers = dict(headers or {})

    @property
    def kind(self) -> str:
        """The last part of the problem's type, such as ``bad-batch``."""
        return self.problem.type.rpartition("/")[2]


def refuse(kind: str, detail: str, remedy: str = "", **extra: object) -> Refusal:
    """A refusal of a kind listed in :data:`edge_contract.problem.PROBLEMS`, to be raised."""
    return Refusal(problem(kind, detail, remedy, **extra))


def refusal_of(error: EdgeError) -> Refusal:
    """What the caller is told when the inbox could not do as asked."""
    if isinstance(error, Rejected) and error.code.replace("_", "-") in PROBLEMS:
        return refuse(error.code.replace("_", "-"), error.message)
    if isinstance(error, NeedsOperator) and error.code in {"disk_full", "storage_full"}:
        return refuse("storage-full", error.message, "Keep the events; the relay's team is told.")
    found = refuse("unavailable", str(error), "Send the same request again later.")
    found.headers["Retry-After"] = "5"
    return found
