"""Errors, split by who must act. Every message is a sentence that names the remedy."""

from __future__ import annotations


class EdgeError(Exception):
    """Base of the errors this product raises on purpose."""


class Retryable(EdgeError):
    """Nobody needs to act: the same call may succeed later (network, lock, restart)."""


class Rejected(EdgeError):
    """The caller's input is wrong and will be wrong again."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class NeedsOperator(EdgeError):
    """Work stops until a person acts: rights, configuration, a restored backup, a full disk."""

    def __init__(self, code: str, message: str, remedy: str = "") -> None:
        super().__init__(f"{message} {remedy}".strip())
        self.code = code
        self.message = message
        self.remedy = remedy
