from __future__ import annotations

import json

import pytest

from edge_agent.sync.answers import MAX_RETRY_AFTER_S, error_for, retry_after
from edge_agent.sync.port import BatchRefused, Busy, GenerationReused, RateLimited
from edge_contract.errors import EdgeError, NeedsOperator
from edge_contract.problem import PROBLEM_MEDIA_TYPE, PROBLEMS, problem

URL = "https://relay.test"


def answer(kind: str, **extra: object) -> EdgeError:
    document = problem(kind, f"said {kind}", "do that", **extra)
    return error_for(
        document.status, PROBLEM_MEDIA_TYPE, document.model_dump_json().encode(), 7, URL
    )


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("unauthenticated", NeedsOperator),
        ("forbidden", NeedsOperator),
        ("not-found", NeedsOperator),
        ("method-not-allowed", NeedsOperator),
        ("conflict", NeedsOperator),
        ("generation-reused", GenerationReused),
        ("too-large", BatchRefused),
        ("unsupported-media-type", NeedsOperator),
        ("bad-batch", BatchRefused),
        ("rate-limited", RateLimited),
        ("storage-full", NeedsOperator),
        ("unavailable", Busy),
    ],
)
def test_every_problem_has_its_consequence(kind: str, expected: type[EdgeError]) -> None:
    error = answer(kind)
    assert type(error) is expected
    assert f"said {kind}" in str(error)


def test_the_table_above_is_complete() -> None:
    marks = test_every_problem_has_its_consequence.pytestmark  # type: ignore[attr-defined]
    assert {kind for kind, _ in marks[0].args[1]} == set(PROBLEMS)


def test_the_relays_patience_and_the_events_it_names_are_heard() -> None:
    busy = answer("rate-limited")
    assert isinstance(busy, Busy)
    assert busy.retry_after == 7
    refused = answer("bad-batch", positions=[3, "4", None, {}])
    assert isinstance(refused, BatchRefused)
    assert refused.positions == {3, 4}


@pytest.mark.parametrize(
    ("status", "expected", "code"),
    [
        (301, NeedsOperator, "http-301"),
        (401, NeedsOperator, "unauthenticated"),
        (404, NeedsOperator, "http-404"),
        (413, NeedsOperator, "http-413"),
        (422, NeedsOperator, "http-422"),
        (507, NeedsOperator, "storage-full"),
        (429, Busy, None),
        (500, Busy, None),
        (502, Busy, None),
    ],
)
def test_without_a_problem_document_no_event_is_blamed(
    status: int, expected: type[EdgeError], code: str | None
) -> None:
    for media, body in (("text/html", b"<h1>"), (PROBLEM_MEDIA_TYPE, b"[]"), ("", b"")):
        error = error_for(status, media, body, 0, URL)
        assert type(error) is expected
        assert URL in str(error)
        assert getattr(error, "code", None) == code


def test_a_position_that_can_be_none_blames_nobody() -> None:
    body = problem("bad-batch", "no", positions=["9" * 5000, "\u00b2", "7", -1]).model_dump_json()
    error = error_for(422, PROBLEM_MEDIA_TYPE, body.encode(), 0, URL)
    assert isinstance(error, BatchRefused)
    assert error.positions == {7}


def test_a_proxys_own_problem_document_of_unknown_kind_is_a_matter_for_people() -> None:
    body = json.dumps({"type": "https://proxy.test/odd", "title": "Odd", "status": 418}).encode()
    error = error_for(418, PROBLEM_MEDIA_TYPE + "; charset=utf-8", body, 0, URL)
    assert isinstance(error, NeedsOperator)
    assert error.code == "odd"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("12", 12),
        ("0.5", 0.5),
        ("-3", 0),
        ("nan", 0),
        ("inf", MAX_RETRY_AFTER_S),
        ("9999999", MAX_RETRY_AFTER_S),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 0),
    ],
)
def test_retry_after_is_read_and_bounded(header: str | None, seconds: float) -> None:
    assert retry_after(header) == seconds
