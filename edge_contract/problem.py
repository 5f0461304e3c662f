"""Problem documents (RFC 9457): how the relay refuses a request."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

PROBLEM_MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """A refusal. ``type`` is a relative reference into the documentation; nothing was stored."""

    model_config = ConfigDict(extra="allow", frozen=True)

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    remedy: str = ""


#: Problem types of version 1 with their HTTP status and title.
PROBLEMS: dict[str, tuple[int, str]] = {
    "unauthenticated": (401, "The credentials are missing or unknown"),
    "forbidden": (403, "The credentials are not for this"),
    "not-found": (404, "There is nothing here"),
    "method-not-allowed": (405, "The method is not allowed here"),
    "conflict": (409, "Two live outboxes claim one identity"),
    "generation-reused": (409, "A position of this generation arrived with another event before"),
    "too-large": (413, "The body is larger than allowed"),
    "unsupported-media-type": (415, "The media type or encoding is not supported"),
    "bad-batch": (422, "The batch does not fit version 1 of the contract"),
    "rate-limited": (429, "Too many requests or events"),
    "storage-full": (507, "The relay has no room left"),
    "unavailable": (503, "The relay cannot answer now"),
}


def problem(kind: str, detail: str, remedy: str = "", **extra: object) -> Problem:
    """A problem of a type listed in :data:`PROBLEMS`."""
    status, title = PROBLEMS[kind]
    return Problem(
        type=f"/problems/{kind}",
        title=title,
        status=status,
        detail=detail,
        remedy=remedy,
        **extra,
    )
