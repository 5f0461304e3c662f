"""What the relay takes and, above all, what it refuses: each bad request with its problem."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import TypeAdapter, ValidationError

from cloud_relay.config import Limits
from cloud_relay.inbox.fake import MemoryInbox
from cloud_relay.inbox.port import Arrival, Verdict
from cloud_relay.intake.endpoints import MONITOR
from cloud_relay.intake.parsing import parse_batch
from cloud_relay.intake.problems import Refusal
from edge_contract.batch import BatchReply, DownlinkReply, HeartbeatReply
from edge_contract.errors import NeedsOperator, Retryable
from edge_contract.event import Identifier
from edge_contract.problem import PROBLEM_MEDIA_TYPE, PROBLEMS, Problem

GOOD: dict[str, Any] = {
    "specversion": "1.0",
    "id": "01938f2e-0000-7000-8000-000000000001",
    "source": "/sites/a/devices/scanner-1",
    "type": "warehouse.count.recorded.v1",
    "time": "2026-11-23T10:00:00Z",
    "recordedtime": "2026-11-23T10:00:01Z",
    "datacontenttype": "application/json",
    "position": "000000000000001",
    "data": {"barcode": "4006381333931", "quantity": "3", "location": "A1"},
}


def changed(**fields: Any) -> dict[str, Any]:
    return {**GOOD, "id": str(uuid4()), "position": "000000000000002", **fields}


def with_data(**fields: Any) -> dict[str, Any]:
    return changed(data={**GOOD["data"], **fields})


def nested(depth: int) -> bytes:
    deep = b'{"a":' * depth + b"1" + b"}" * depth
    return json.dumps([GOOD]).encode().replace(b'"A1"', deep)


#: What is sent → the problem's kind and words of its detail.
WHOLE_BODIES: dict[str, tuple[bytes, str, str]] = {
    "nothing": (b"", "bad-batch", "not JSON: EOF"),
    "no JSON": (b"hello", "bad-batch", "not JSON"),
    "cut off": (json.dumps([GOOD]).encode()[:-9], "bad-batch", "not JSON"),
    "something after it": (json.dumps([GOOD]).encode() + b"x", "bad-batch", "trailing"),
    "not UTF-8": (json.dumps([GOOD]).encode().replace(b"A1", b"\xff\xfe"), "bad-batch", "unicode"),
    "a lone surrogate": (
        json.dumps([GOOD]).encode().replace(b"A1", b"\\ud800"),
        "bad-batch",
        "not JSON",
    ),
    "an object instead of a list": (json.dumps(GOOD).encode(), "bad-batch", "valid array"),
    "nesting without end": (nested(100_000), "too-large", "more objects"),
    "deep nesting": (nested(1000), "bad-batch", "nested too deeply"),
    "empty lists without end": (b"[" + b"[]," * 60_000 + b"[]]", "too-large", "more objects"),
    "numbers without end": (b"[" + b"1," * 600_000 + b"1]", "too-large", "more objects"),
    "10 MiB": (json.dumps([GOOD]).encode() + b" " * 10 * 2**20, "too-large", "larger than"),
}

#: One malformed event → words of the reason given for its index.
EVENTS: dict[str, tuple[Any, str]] = {
    "not an object": (7, "should be an object"),
    "an unknown version": (changed(specversion="2.0"), "specversion"),
    "an unknown kind": (changed(type="warehouse.stock.eaten.v1"), "names no kind of version 1"),
    "another version of a kind": (changed(type="warehouse.count.recorded.v2"), "type"),
    "a kind of someone else": (changed(type="com.example.thing"), "type"),
    "no id": ({k: v for k, v in changed().items() if k != "id"}, "id: Field required"),
    "an id that is no UUID": (changed(id="17"), "id: Input should be a valid UUID"),
    "a source without a device": (changed(source="/sites/a"), "source"),
    "a source that climbs": (changed(source="/sites/a/devices/../x"), "source"),
    "a time without a zone": (changed(time="2026-11-23T10:00:00"), "no time zone"),
    "a time that is none": (changed(time="yesterday"), "RFC 3339"),
    "a position that is a number": (changed(position=2), "position"),
    "a short position": (changed(position="2"), "position"),
    "a field nobody knows": (changed(colour="red"), "colour: Extra inputs"),
    "data that is text": (changed(data="hello"), "data"),
    "a misspelt field": (with_data(qantity="3"), "qantity"),
    "a JSON number as quantity": (with_data(quantity=3), "decimal string"),
    "a negative quantity": (with_data(quantity="-3"), "must not be negative"),
    "a huge quantity": (with_data(quantity="9999999999"), "not a decimal"),
    "an exponent": (with_data(quantity="1e3"), "not a decimal"),
    "not a number": (with_data(quantity="NaN"), "not a decimal"),
    "control characters": (with_data(location="A\u00001"), "location"),
    "a barcode without end": (with_data(barcode="9" * 301), "barcode"),
    "nothing as quantity": (with_data(quantity=None), "decimal string"),
}


def problem_of(response: Any, kind: str) -> Problem:
    assert response.headers["content-type"] == PROBLEM_MEDIA_TYPE
    problem = Problem.model_validate_json(response.content)
    assert problem.type == f"/problems/{kind}", response.text
    assert response.status_code == problem.status == PROBLEMS[kind][0]
    return problem


def test_a_batch_is_stored_and_its_repeat_is_recognised(relay: Any) -> None:
    async def scene(http: Any) -> None:
        body = relay.body(relay.event(1), relay.event(2))
        for new, duplicates in ((2, 0), (0, 2)):
            response = await http.post(gzip.compress(body), Content_Encoding="gzip")
            assert response.status_code == 200
            assert BatchReply.model_validate_json(response.content) == BatchReply(
                generation=relay.generation, stored_through=2, new=new, duplicates=duplicates
            )

    relay.play(scene)


def test_an_empty_batch_asks_where_to_resume(relay: Any) -> None:
    async def scene(http: Any) -> None:
        await http.post(relay.body(relay.event(1)))
        assert (await http.post(b"[]")).json()["stored_through"] == 1

    relay.play(scene)


@pytest.mark.parametrize("name", WHOLE_BODIES)
def test_a_body_that_makes_no_sense_is_refused_and_nothing_is_stored(relay: Any, name: str) -> None:
    body, kind, words = WHOLE_BODIES[name]

    async def scene(http: Any) -> None:
        assert words in problem_of(await http.post(body), kind).detail
        assert await http.stored() == 0

    relay.play(scene)


@pytest.mark.parametrize("name", EVENTS)
def test_a_malformed_event_is_named_by_its_index_and_nothing_is_stored(
    relay: Any, name: str
) -> None:
    bad, words = EVENTS[name]

    async def scene(http: Any) -> None:
        problem = problem_of(await http.post(relay.body(GOOD, bad)), "bad-batch")
        (named,) = problem.model_extra["events"]
        assert named["index"] == 1
        assert words in named["reason"]
        assert await http.stored() == 0
        assert (await http.post(relay.body(GOOD))).json()["new"] == 1

    relay.play(scene)


def test_the_malformed_events_of_a_batch_are_named_with_their_positions(relay: Any) -> None:
    bad = [changed(position=f"{n:015d}", id="x") for n in (5, 7)]

    async def scene(http: Any) -> None:
        body = relay.body(bad[0], GOOD, bad[1], 7)
        problem = problem_of(await http.post(body), "bad-batch")
        assert [named["index"] for named in problem.model_extra["events"]] == [0, 2, 3]
        assert problem.model_extra["positions"] == [5, 7]

    relay.play(scene)


@pytest.mark.parametrize(
    ("header", "value", "kind"),
    [
        ("Authorization", "", "unauthenticated"),
        ("Authorization", "Bearer", "unauthenticated"),
        ("Authorization", "Bearer token-of-site-a-001", "unauthenticated"),
        ("Authorization", "Bearer  ", "unauthenticated"),
        ("Authorization", "Basic dXNlcjp0b2tlbg==", "unauthenticated"),
        ("Authorization", "Bearer token-of-monitor-0", "forbidden"),
        ("Content-Type", "application/json", "unsupported-media-type"),
        ("Content-Type", "", "unsupported-media-type"),
        ("Content-Encoding", "br", "unsupported-media-type"),
        ("Content-Encoding", "gzip", "unsupported-media-type"),
        ("X-Edge-Agent", "", "bad-batch"),
        ("X-Edge-Agent", "Agent One", "bad-batch"),
        ("X-Edge-Generation", "", "bad-batch"),
        ("X-Edge-Generation", "1", "bad-batch"),
    ],
)
def test_a_request_with_wrong_headers_is_refused(
    relay: Any, header: str, value: str, kind: str
) -> None:
    async def scene(http: Any) -> None:
        response = await http.post(relay.body(GOOD), **{header.replace("-", "_"): value})
        problem_of(response, kind)
        assert await http.stored() == 0

    relay.play(scene)


def test_a_site_cannot_speak_for_another(relay: Any) -> None:
    async def scene(http: Any) -> None:
        foreign = relay.event(2, site="b")
        problem = problem_of(await http.post(relay.body(GOOD, foreign)), "forbidden")
        assert problem.model_extra["events"][0]["index"] == 1
        assert problem.model_extra["positions"] == [2]
        assert await http.stored() == 0

    relay.play(scene)


def test_the_site_comes_from_the_credentials(relay: Any) -> None:
    async def scene(http: Any) -> None:
        await http.post(relay.body(relay.event(1, site="b")), site="b")
        (lag,) = [lag for lag in await http.inbox.sites() if lag.counters.get("new")]
        assert lag.site == "b"

    relay.play(scene)


def test_two_events_with_one_position_are_refused(relay: Any) -> None:
    async def scene(http: Any) -> None:
        response = await http.post(relay.body(relay.event(3), relay.event(3)))
        assert "same position" not in response.text
        assert problem_of(response, "bad-batch").model_extra["positions"] == [3]

    relay.play(scene)


def test_a_gzip_bomb_is_refused_while_it_is_small(relay: Any) -> None:
    bomb = gzip.compress(b" " * 40 * 2**20, 1)
    assert len(bomb) < 2**20

    async def scene(http: Any) -> None:
        began = time.perf_counter()
        problem_of(await http.post(bomb, Content_Encoding="gzip"), "too-large")
        assert time.perf_counter() - began < 1

    relay.play(scene)


@pytest.mark.parametrize("cut", [-1, -12, 20])
def test_a_gzip_body_that_is_cut_off_is_asked_for_again(relay: Any, cut: int) -> None:
    async def scene(http: Any) -> None:
        body = gzip.compress(relay.body(GOOD))[:cut]
        problem_of(await http.post(body, Content_Encoding="gzip"), "unavailable")
        assert await http.stored() == 0

    relay.play(scene)


def test_bytes_after_the_gzip_body_are_refused(relay: Any) -> None:
    async def scene(http: Any) -> None:
        body = gzip.compress(relay.body(GOOD)) + b"more"
        problem_of(await http.post(body, Content_Encoding="gzip"), "unavailable")

    relay.play(scene)


def test_more_events_than_the_limit_are_refused(relay: Any) -> None:
    async def scene(http: Any) -> None:
        events = [relay.event(n) for n in (1, 2, 3)]
        problem = problem_of(await http.post(relay.body(*events)), "too-large")
        assert problem.model_extra["limit_events"] == 2

    relay.play(scene, Limits(batch_events=2))


def test_501_events_are_refused_whatever_they_are(relay: Any) -> None:
    async def scene(http: Any) -> None:
        problem_of(await http.post(b"[" + b",".join([b"1"] * 501) + b"]"), "too-large")

    relay.play(scene)


def test_a_rolled_back_outbox_is_told_so(relay: Any) -> None:
    async def scene(http: Any) -> None:
        await http.post(relay.body(relay.event(1)))
        problem_of(await http.post(relay.body(relay.event(1))), "generation-reused")

    relay.play(scene)


class BrokenInbox(MemoryInbox):
    """Fails in a given way when it should store."""

    error: Exception = Retryable("busy")

    async def store(self, arrival: Arrival) -> BatchReply:
        raise self.error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Retryable("locked"), "unavailable"),
        (NeedsOperator("disk_full", "No room left."), "storage-full"),
        (NeedsOperator("database_broken", "Broken."), "unavailable"),
        (RuntimeError("a bug"), "unavailable"),
    ],
)
def test_what_could_not_be_stored_is_never_confirmed(
    relay: Any, error: Exception, kind: str
) -> None:
    inbox = BrokenInbox()
    inbox.error = error

    async def scene(http: Any) -> None:
        problem = problem_of(await http.post(relay.body(GOOD)), kind)
        assert "a bug" not in problem.detail

    relay.play(scene, inbox=inbox)


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("GET", "/v1/batches", "method-not-allowed"),
        ("POST", "/v1/downlink", "method-not-allowed"),
        ("GET", "/", "not-found"),
        ("POST", "/v2/batches", "not-found"),
    ],
)
def test_other_places_answer_with_problems_too(
    relay: Any, method: str, path: str, kind: str
) -> None:
    async def scene(http: Any) -> None:
        problem_of(await http.client.request(method, path), kind)

    relay.play(scene)


def heartbeat(relay: Any, **fields: Any) -> bytes:
    said = {
        "agent": "agent-1",
        "generation": str(relay.generation),
        "boot": str(UUID(int=1)),
        "version": "1",
        "time": "2026-11-23T10:00:00Z",
        "newest_position": 0,
        "stored": 0,
        "unrelayed": 0,
        "intake": "open",
    }
    return json.dumps({**said, **fields}).encode()


def test_a_heartbeat_is_answered_with_where_to_resume_and_how_odoo_is(relay: Any) -> None:
    async def scene(http: Any) -> None:
        await http.post(relay.body(relay.event(1)))
        for site, odoo, through in (("a", "ok", 1), ("b", "stopped", 0)):
            response = await http.post(heartbeat(relay), site=site, path="/v1/heartbeats")
            reply = HeartbeatReply.model_validate_json(response.content)
            assert (reply.site, reply.odoo, reply.stored_through) == (site, odoo, through)
            assert reply.time == relay.start

    relay.play(scene)


@pytest.mark.parametrize("body", [b"{}", b"[]", b"\xff", b'{"agent": "X Y"}', b'{"agent":' * 5000])
def test_a_malformed_heartbeat_is_refused(relay: Any, body: bytes) -> None:
    async def scene(http: Any) -> None:
        problem_of(await http.post(body, path="/v1/heartbeats"), "bad-batch")

    relay.play(scene)


async def settle(http: Any, number: int = 1) -> None:
    await http.inbox.settle([Verdict(number, "held", "unknown_document", "no")], http.time.at)


def test_an_outcome_comes_down_once_to_its_site_only(relay: Any) -> None:
    async def scene(http: Any) -> None:
        await http.post(relay.body(relay.line(1)))
        await settle(http)
        first = DownlinkReply.model_validate_json((await http.get("/v1/downlink")).content)
        assert [item.outcome.stage for item in first.items] == ["held"]
        again = (await http.get(f"/v1/downlink?after={first.cursor}")).json()
        assert again == {"items": [], "cursor": first.cursor}
        assert (await http.get("/v1/downlink", site="b")).json()["items"] == []

    relay.play(scene)


def test_a_cursor_of_a_lost_inbox_is_answered_with_the_own_one_so_that_the_agent_follows(
    relay: Any,
) -> None:
    async def scene(http: Any) -> None:
        await http.post(relay.body(relay.line(1)))
        await settle(http)
        (item,) = (await http.get("/v1/downlink")).json()["items"]
        ahead = (await http.get(f"/v1/downlink?after={item['cursor'] + 20}&wait=20")).json()
        assert ahead == {"items": [], "cursor": item["cursor"]}

    relay.play(scene)


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "after=-1", "after=x", "wait=nan"])
def test_a_downlink_question_that_makes_no_sense_is_refused(relay: Any, query: str) -> None:
    async def scene(http: Any) -> None:
        problem_of(await http.get(f"/v1/downlink?{query}"), "bad-batch")

    relay.play(scene)


def test_a_long_poll_wakes_when_there_is_something(relay: Any) -> None:
    async def scene(http: Any) -> None:
        await http.post(relay.body(relay.line(1)))
        poll = asyncio.create_task(http.get("/v1/downlink?wait=20"))
        await asyncio.sleep(0)
        assert not poll.done()
        await settle(http)
        async with asyncio.timeout(2):
            assert len((await poll).json()["items"]) == 1

    relay.play(scene)


def test_a_long_poll_ends_when_the_relay_stops(relay: Any) -> None:
    async def scene(http: Any) -> None:
        poll = asyncio.create_task(http.get("/v1/downlink?after=0&wait=20"))
        await asyncio.sleep(0)
        http.intake.stop()
        async with asyncio.timeout(2):
            assert (await poll).json() == {"items": [], "cursor": 0}

    relay.play(scene)


def test_a_site_sees_itself_and_the_monitor_sees_all(relay: Any) -> None:
    async def scene(http: Any) -> None:
        await http.post(relay.body(relay.event(1)))
        for who, sites, targets in (
            ("a", ["a"], ["main"]),
            ("b", ["b"], ["other"]),
            ("monitor", ["a", "b"], ["main", "other"]),
        ):
            answer = (await http.get("/v1/sites", site=who)).json()
            assert [row["site"] for row in answer["sites"]] == sites
            assert [row["target"] for row in answer["targets"]] == targets

    relay.play(scene)


def test_a_site_that_is_called_monitor_shares_nothing_with_the_monitor(relay: Any) -> None:
    async def scene(http: Any) -> None:
        await http.get("/v1/sites", site="monitor")
        assert http.intake.counters[MONITOR, "requests"] == 1
        with pytest.raises(ValidationError):
            TypeAdapter(Identifier).validate_python(MONITOR)

    relay.play(scene)


def test_the_ladder_of_an_event_is_for_its_site_and_the_monitor(relay: Any) -> None:
    async def scene(http: Any) -> None:
        sent = relay.line(1)
        await http.post(relay.body(sent))
        await settle(http)
        path = f"/v1/devices/scanner-1/events/{sent.id}"
        for who in ("a", "monitor"):
            answer = (await http.get(path, site=who)).json()
            assert answer["status"] == "held"
            assert answer["ladder"][-1]["outcome"]["code"] == "unknown_document"
            assert "discard" in answer["remedy"]
        problem_of(await http.get(path, site="b"), "not-found")
        problem_of(await http.get(f"/v1/devices/scanner-1/events/{uuid4()}"), "not-found")
        problem_of(await http.get("/v1/devices/scanner-1/events/17"), "not-found")

    relay.play(scene)


def test_health_needs_no_credentials(relay: Any) -> None:
    async def scene(http: Any) -> None:
        assert (await http.client.get("/v1/health")).json() == {"status": "ok", "contract": 1}

    relay.play(scene)


def test_a_flood_of_one_site_is_refused_and_never_felt_by_another(relay: Any) -> None:
    async def scene(http: Any) -> None:
        answers = [
            await http.post(relay.body(*(relay.event(n * 10 + i) for i in range(10))))
            for n in range(1, 5)
        ]
        assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
        assert answers[2].headers["retry-after"] == "1"
        problem_of(answers[2], "rate-limited")
        assert (await http.post(relay.body(relay.event(1, site="b")), site="b")).is_success
        http.time.pass_(1.1)
        assert (await http.post(relay.body(relay.event(100)))).is_success
        sites = (await http.get("/v1/sites", site="monitor")).json()["sites"]
        assert sites[0]["requests"]["rate-limited"] == 2

    relay.play(scene, Limits(events_per_second=10, events_at_once=15))


def test_malformed_bodies_use_up_the_allowance_too(relay: Any) -> None:
    async def scene(http: Any) -> None:
        assert (await http.post(b"x" * 512 * 20)).status_code == 422
        assert (await http.post(relay.body(GOOD))).status_code == 429

    relay.play(scene, Limits(events_per_second=10, events_at_once=15))


def test_requests_are_limited_as_events_are(relay: Any) -> None:
    async def scene(http: Any) -> None:
        codes = [(await http.get("/v1/downlink")).status_code for _ in range(4)]
        assert codes == [200, 200, 429, 429]
        assert (await http.get("/v1/downlink", site="b")).status_code == 200

    relay.play(scene, Limits(requests_per_second=1, requests_at_once=2))


def test_open_requests_of_a_site_are_bounded(relay: Any) -> None:
    async def scene(http: Any) -> None:
        polls = [asyncio.create_task(http.get("/v1/downlink?wait=20")) for _ in range(2)]
        await asyncio.sleep(0.01)
        problem_of(await http.get("/v1/downlink"), "rate-limited")
        http.intake.stop()
        assert [(await poll).status_code for poll in polls] == [200, 200]
        assert (await http.get("/v1/downlink")).status_code == 200

    relay.play(scene, Limits(open_requests=2))


def test_500_events_are_parsed_in_a_few_milliseconds(relay: Any) -> None:
    body = relay.body(*(relay.line(n) for n in range(1, 501)))
    began = time.process_time()
    assert len(parse_batch(body, "a")) == 500
    assert time.process_time() - began < 0.2  # 15 ms on an idle machine


def test_a_shape_made_to_exhaust_the_parser_costs_nothing() -> None:
    body = b'[{"data":[' + b"[]," * 2_700_000 + b"1]}]"
    began = time.process_time()
    with pytest.raises(Refusal):
        parse_batch(body, "a")
    assert time.process_time() - began < 0.5  # 20 s and 2 GB when it is parsed
