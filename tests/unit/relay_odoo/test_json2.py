"""What each answer of Odoo, or of something that is not Odoo, is taken for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from cloud_relay.odoo.gateway import Json2Gateway
from cloud_relay.odoo.json2 import Json2
from cloud_relay.odoo.port import Binding, OdooBatch, OdooEvent
from edge_contract.errors import EdgeError, NeedsOperator, Rejected, Retryable

Answer = Callable[[httpx.Request], httpx.Response]


def odoo_error(status: int, name: str, message: str = "No.") -> httpx.Response:
    body = {"name": name, "message": message, "arguments": [message], "context": {}, "debug": ""}
    return httpx.Response(status, json=body)


def raised(answer: Answer) -> EdgeError:
    async def work() -> None:
        transport = httpx.MockTransport(answer)
        async with Json2("http://odoo.test/", "db", "secret", transport=transport) as odoo:
            await odoo.call("stock.picking", "read", ids=[1])

    with pytest.raises(EdgeError) as caught:
        asyncio.run(work())
    assert "secret" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("url", "key", "code"),
    [
        ("odoo.test", "secret", "configuration"),
        ("ftp://odoo.test", "secret", "configuration"),
        ("http://[::bad", "secret", "configuration"),
        ("http://odoo.test:99999", "secret", "configuration"),
        ("http://", "secret", "configuration"),
        ("http://odoo.test", "caf\u00e9-secret", "bad_key"),
        ("http://odoo.test", "two\nlines", "bad_key"),
        ("http://odoo.test", "", "bad_key"),
    ],
)
def test_an_address_or_a_key_that_cannot_be_used_is_said_in_a_sentence(
    url: str, key: str, code: str
) -> None:
    with pytest.raises(NeedsOperator) as caught:
        Json2(url, "db", key)
    assert caught.value.code == code
    assert not key or key not in str(caught.value)


@pytest.mark.parametrize("status", [408, 409, 423, 425, 429, 500, 502, 503, 504])
def test_these_say_nothing_about_the_call(status: int) -> None:
    assert isinstance(raised(lambda _: odoo_error(status, "builtins.KeyError")), Retryable)
    assert isinstance(raised(lambda _: httpx.Response(status, text="<html>")), Retryable)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (httpx.ReadTimeout("slow"), "outcome is unknown"),
        (httpx.ConnectTimeout("slow"), "in time"),
        (httpx.ConnectError("refused"), "cannot be reached"),
        (httpx.RemoteProtocolError("closed"), "cannot be reached"),
        (httpx.ReadError(""), "ReadError"),
    ],
)
def test_a_call_without_an_answer_may_be_sent_again(error: Exception, said: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error

    found = raised(answer)
    assert isinstance(found, Retryable)
    assert said in str(found)


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (odoo_error(401, "werkzeug.exceptions.Unauthorized"), "bad_key"),
        (odoo_error(403, "odoo.exceptions.AccessError"), "no_rights"),
        (httpx.Response(404, text="<html>nginx"), "not_odoo"),
        (httpx.Response(302, headers={"location": "https://odoo.test/"}), "not_odoo"),
        (httpx.Response(200, text="<html>welcome"), "not_odoo"),
    ],
)
def test_these_need_a_person(reply: httpx.Response, code: str) -> None:
    found = raised(lambda _: reply)
    assert isinstance(found, NeedsOperator)
    assert found.code == code
    assert found.remedy


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (odoo_error(422, "odoo.exceptions.UserError", "Too few."), "odoo_refused"),
        (odoo_error(422, "odoo.exceptions.ValidationError", "Too few."), "odoo_refused"),
        (odoo_error(422, "werkzeug.exceptions.UnprocessableEntity"), "bad_call"),
        (odoo_error(400, "werkzeug.exceptions.BadRequest"), "bad_call"),
        (odoo_error(415, "werkzeug.exceptions.UnsupportedMediaType"), "bad_call"),
        (odoo_error(404, "odoo.exceptions.MissingError"), "missing"),
        (odoo_error(404, "werkzeug.exceptions.NotFound"), "missing"),
    ],
)
def test_these_will_be_wrong_again(reply: httpx.Response, code: str) -> None:
    found = raised(lambda _: reply)
    assert isinstance(found, Rejected)
    assert found.code == code


# -- the gateway ---------------------------------------------------------------------------------

EVENT = OdooEvent(
    key="h1|1",
    digest="d",
    kind="transfer.line",
    device="h1",
    site="s",
    occurred="2026-11-23 10:00:00.000000",
    recorded="2026-11-23 10:00:00.000000",
    data={},
)
BATCH = OdooBatch(
    database_uuid="u", watermark={}, binding=Binding(company=1, warehouses=(1,)), events=[EVENT]
)
GOOD = {"results": [{"key": "h1|1", "status": "applied"}], "watermark": {"uuid": "u"}}


class FakeOdoo:
    """Answers the search for the action and its runs, and remembers what was asked."""

    def __init__(self, *runs: Any, found: list[list[dict[str, int]]] | None = None) -> None:
        self.runs = list(runs)
        self.found = found or [[{"x_record_id": 7}]] * 5
        self.asked: list[tuple[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        self.asked.append((request.url.path, body))
        answer = self.found.pop(0) if "search_read" in request.url.path else self.runs.pop(0)
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)


def apply(odoo: FakeOdoo, times: int = 1) -> Any:
    async def work() -> Any:
        transport = httpx.MockTransport(odoo)
        async with Json2Gateway("http://odoo.test", "db", "k", transport=transport) as gateway:
            for _ in range(times):
                reply = await gateway.apply(BATCH)
            return reply

    return asyncio.run(work())


def test_the_action_is_looked_up_once_and_told_its_digest() -> None:
    odoo = FakeOdoo(GOOD, GOOD)

    reply = apply(odoo, times=2)

    assert [result.status for result in reply.results] == ["applied"]
    assert [path.rpartition("/")[2] for path, _ in odoo.asked] == ["search_read", "run", "run"]
    body = odoo.asked[1][1]
    assert body["ids"] == [7]
    batch = body["context"]["relay_batch"]
    assert batch["action"] == 7
    assert len(batch["action_digest"]) == 64
    assert batch["events"][0]["key"] == "h1|1"


def test_an_action_that_was_installed_anew_is_found_again() -> None:
    gone = odoo_error(404, "odoo.exceptions.MissingError")
    odoo = FakeOdoo(gone, GOOD, found=[[{"x_record_id": 7}], [{"x_record_id": 8}]])

    assert apply(odoo).results[0].status == "applied"
    assert odoo.asked[-1][1]["ids"] == [8]


@pytest.mark.parametrize(
    ("odoo", "code"),
    [
        (FakeOdoo({"stop": "uuid_changed", "uuid": "v"}), "uuid_changed"),
        (FakeOdoo({"stop": "went_back", "uuid": "u"}), "went_back"),
        (FakeOdoo({"stop": "action_changed", "uuid": "u"}), "action_changed"),
        (FakeOdoo(False), "action_changed"),
        (FakeOdoo({"results": [], "watermark": {}}), "action_changed"),
        (FakeOdoo({"results": [{"key": "x", "status": "applied"}]}), "action_changed"),
        (FakeOdoo({"results": [{"key": "h1|1", "status": "maybe"}]}), "action_changed"),
        (FakeOdoo(odoo_error(403, "odoo.exceptions.AccessError")), "no_rights"),
        (FakeOdoo(found=[[]]), "not_installed"),
        (FakeOdoo(found=[odoo_error(404, "werkzeug.exceptions.NotFound")]), "not_installed"),  # type: ignore[list-item] # an answer may be an error
    ],
)
def test_what_stops_the_relay(odoo: FakeOdoo, code: str) -> None:
    with pytest.raises(NeedsOperator) as stopped:
        apply(odoo)
    assert stopped.value.code == code
    assert stopped.value.remedy


@pytest.mark.parametrize(
    "answer",
    [
        odoo_error(422, "odoo.exceptions.UserError", "An upgrade is running."),
        odoo_error(500, "psycopg2.errors.SerializationFailure"),
        odoo_error(409, "odoo.exceptions.LockError"),
    ],
)
def test_a_batch_that_failed_as_a_whole_is_sent_again(answer: httpx.Response) -> None:
    with pytest.raises(Retryable):
        apply(FakeOdoo(answer))
