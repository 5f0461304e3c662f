"""The HTTP client against a relay double inside the process: real requests, no sockets."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from uuid import UUID

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from edge_agent.sync.client import HttpRelay, Timeouts
from edge_agent.sync.port import BatchRefused, Busy, RateLimited
from edge_contract.batch import BATCH_MEDIA_TYPE, BatchReply, DownlinkReply, HeartbeatReply
from edge_contract.batch import Heartbeat as Beat
from edge_contract.errors import EdgeError, NeedsOperator, Retryable
from edge_contract.problem import PROBLEM_MEDIA_TYPE, problem

GENERATION = UUID(int=3)
Handler = Callable[[Request], Awaitable[Response]]


def relay(handler: Handler, token: Callable[[], str] = lambda: "s3cret") -> HttpRelay:
    app = Starlette(
        routes=[
            Route("/prefix/v1/batches", handler, methods=["POST"]),
            Route("/prefix/v1/heartbeats", handler, methods=["POST"]),
            Route("/prefix/v1/downlink", handler),
        ]
    )
    return HttpRelay(
        "http://relay.test/prefix", "dock-a", token, transport=httpx.ASGITransport(app)
    )


def reply(**extra: int) -> Response:
    answer = BatchReply(generation=GENERATION, stored_through=2, new=2, duplicates=0)
    return Response(answer.model_dump_json(), media_type="application/json")


def test_a_batch_travels_as_the_contract_says() -> None:
    seen: list[Request] = []
    bodies: list[bytes] = []

    async def handler(request: Request) -> Response:
        seen.append(request)
        bodies.append(await request.body())
        return reply()

    async def scene(events: list[str]) -> BatchReply:
        there = relay(handler)
        try:
            return await there.send(GENERATION, events)
        finally:
            await there.close()

    large = json.dumps({"x": "y" * 50_000})
    for events in (['{"a":1}', '{"b":"ü"}'], [large, large]):
        assert asyncio.run(scene(events)).new == 2
        assert json.loads(gzip.decompress(bodies[-1])) == [json.loads(text) for text in events]
    headers = seen[0].headers
    assert headers["authorization"] == "Bearer s3cret"
    assert headers["content-type"] == BATCH_MEDIA_TYPE
    assert headers["content-encoding"] == "gzip"
    assert headers["x-edge-agent"] == "dock-a"
    assert headers["x-edge-generation"] == str(GENERATION)


def test_the_downlink_names_its_cursor_and_its_patience() -> None:
    async def handler(request: Request) -> Response:
        assert dict(request.query_params) == {"after": "41", "wait": "25"}
        return Response(DownlinkReply(items=(), cursor=41).model_dump_json())

    async def scene() -> None:
        assert (await relay(handler).downlink(41)).cursor == 41

    asyncio.run(scene())


def test_a_heartbeat_is_answered() -> None:
    now = datetime.now(UTC)

    async def handler(request: Request) -> Response:
        Beat.model_validate_json(await request.body())
        return Response(
            HeartbeatReply(stored_through=7, time=now, site="s", odoo="ok").model_dump_json()
        )

    async def scene() -> None:
        beat = Beat(
            agent="a",
            generation=GENERATION,
            boot=UUID(int=1),
            version="1",
            time=now,
            newest_position=7,
            stored=0,
            unrelayed=0,
            intake="open",
        )
        assert (await relay(handler).heartbeat(beat)).stored_through == 7

    asyncio.run(scene())


def _problem(kind: str, headers: dict[str, str] | None = None, **extra: object) -> Response:
    found = problem(kind, "because", "do this", **extra)
    return Response(found.model_dump_json(), found.status, headers, PROBLEM_MEDIA_TYPE)


@pytest.mark.parametrize(
    ("response", "expected", "words"),
    [
        (_problem("bad-batch", positions=[2]), BatchRefused, "because"),
        (_problem("rate-limited", {"Retry-After": "9"}), RateLimited, "because"),
        (_problem("unauthenticated"), NeedsOperator, "do this"),
        (PlainTextResponse("<html>Sign in</html>"), Retryable, "captive portal"),
        (JSONResponse({"generation": "no"}), Retryable, "captive portal"),
        (RedirectResponse("http://elsewhere.test/"), NeedsOperator, "uplink.url"),
        (PlainTextResponse("too long", 413), NeedsOperator, "proxy"),
        (PlainTextResponse("bad gateway", 502), Busy, "502"),
    ],
)
def test_what_is_no_good_answer_becomes_the_right_error(
    response: Response, expected: type[EdgeError], words: str
) -> None:
    async def handler(request: Request) -> Response:
        await request.body()
        return response

    async def scene() -> None:
        with pytest.raises(EdgeError, match=words) as caught:
            await relay(handler).send(GENERATION, ["{}"])
        assert type(caught.value) is expected
        if isinstance(caught.value, BatchRefused):
            assert caught.value.positions == {2}
        if isinstance(caught.value, Busy) and "because" in words:
            assert caught.value.retry_after == 9

    asyncio.run(scene())


def test_an_answer_without_end_is_cut_off() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1_000_000

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=endless())

    async def scene() -> None:
        there = HttpRelay(
            "http://relay.test", "a", lambda: "t", transport=httpx.MockTransport(answer)
        )
        with pytest.raises(Retryable, match="does not stop"):
            await there.downlink(0)
        await there.close()

    asyncio.run(scene())


def test_silence_and_refused_connections_are_tried_again() -> None:
    def silent(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("nothing", request=request)

    def cut(request: httpx.Request) -> httpx.Response:
        raise httpx.RemoteProtocolError("closed", request=request)

    async def scene() -> None:
        for failing, words in ((silent, "within 20 s"), (cut, "cannot be reached: closed")):
            there = HttpRelay(
                "http://relay.test", "a", lambda: "t", transport=httpx.MockTransport(failing)
            )
            with pytest.raises(Retryable, match=words):
                await there.send(GENERATION, ["{}"])

    asyncio.run(scene())


def test_a_relay_that_is_not_there_is_named() -> None:
    async def scene() -> None:
        there = HttpRelay("http://127.0.0.1:9", "a", lambda: "t", timeouts=Timeouts(connect=2))
        with pytest.raises(Retryable, match=r"http://127\.0\.0\.1:9 cannot be reached"):
            await there.downlink(0)
        await there.close()

    asyncio.run(scene())


def test_a_new_token_is_used_without_a_restart() -> None:
    tokens = iter(["old", "new"])
    seen: list[str] = []

    async def handler(request: Request) -> Response:
        seen.append(request.headers["authorization"])
        return _problem("unauthenticated") if len(seen) == 1 else reply()

    async def scene() -> None:
        there = relay(handler, lambda: next(tokens))
        with pytest.raises(NeedsOperator):
            await there.send(GENERATION, ["{}"])
        await there.send(GENERATION, ["{}"])
        assert seen == ["Bearer old", "Bearer new"]

    asyncio.run(scene())
