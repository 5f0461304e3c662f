"""Calls and faults as Odoo spells them, old and new, without an Odoo."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from edge_sandbox.odoo.database import OdooDatabase, OdooFault


def odoo(answers: Any, series: int = 19) -> tuple[OdooDatabase, list[httpx.Request]]:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return answers(request) if callable(answers) else answers

    client = httpx.Client(transport=httpx.MockTransport(answer))
    return OdooDatabase("http://odoo/", "db", "KEY", series=series, client=client), seen


def test_a_call_names_database_key_and_arguments() -> None:
    database, seen = odoo(httpx.Response(200, json=[1]))
    assert database.call("stock.move", "search", domain=[["id", ">", 0]], limit=1) == [1]
    assert str(seen[0].url) == "http://odoo/json/2/stock.move/search"
    assert seen[0].headers["authorization"] == "bearer KEY"
    assert seen[0].headers["x-odoo-database"] == "db"
    assert json.loads(seen[0].content) == {"domain": [["id", ">", 0]], "limit": 1}


def test_another_user_has_another_key_and_the_same_database() -> None:
    database, seen = odoo(httpx.Response(200, json=1))
    database.as_user("OTHER").call("stock.move", "search_count", domain=[])
    assert seen[0].headers["authorization"] == "bearer OTHER"
    assert seen[0].headers["x-odoo-database"] == "db"


@pytest.mark.parametrize(
    ("status", "name", "refusal"),
    [
        (422, "odoo.exceptions.UserError", True),
        (403, "odoo.exceptions.AccessError", True),
        (422, "werkzeug.exceptions.UnprocessableEntity", False),
        (500, "builtins.KeyError", False),
    ],
)
def test_a_fault_keeps_name_message_and_status(status: int, name: str, refusal: bool) -> None:
    body = {"name": name, "message": "No.", "arguments": [], "context": {}, "debug": "trace"}
    database, _ = odoo(httpx.Response(status, json=body))
    with pytest.raises(OdooFault) as raised:
        database.call("stock.move", "write", ids=[1], vals={})
    fault = raised.value
    assert (fault.status, fault.name, fault.message, fault.debug) == (status, name, "No.", "trace")
    assert fault.is_refusal is refusal


def test_an_answer_that_is_not_odoos_is_still_a_fault() -> None:
    database, _ = odoo(httpx.Response(502, text="<html>Bad gateway</html>"))
    with pytest.raises(OdooFault) as raised:
        database.call("stock.move", "read", ids=[1])
    assert raised.value.status == 502
    assert "Bad gateway" in raised.value.message


def test_before_odoo_19_it_is_jsonrpc_with_records_first() -> None:
    def answers(request: httpx.Request) -> httpx.Response:
        params = json.loads(request.content)["params"]
        return httpx.Response(200, json={"result": 7 if params["service"] == "common" else True})

    database, seen = odoo(answers, series=17)
    assert database.call("stock.move", "write", ids=[3], vals={"name": "x"}) is True
    login, call = (json.loads(request.content)["params"] for request in seen)
    assert login["args"] == ["db", "admin", "KEY", {}]
    assert call["args"] == ["db", 7, "KEY", "stock.move", "write", [[3]], {"vals": {"name": "x"}}]


def test_before_odoo_19_a_fault_comes_inside_a_200() -> None:
    error = {"data": {"name": "odoo.exceptions.UserError", "message": "No.", "debug": "d"}}

    def answers(request: httpx.Request) -> httpx.Response:
        service = json.loads(request.content)["params"]["service"]
        return httpx.Response(200, json={"result": 7} if service == "common" else {"error": error})

    database, _ = odoo(answers, series=18)
    with pytest.raises(OdooFault) as raised:
        database.call("stock.move", "unlink", ids=[3])
    assert (raised.value.status, raised.value.message) == (0, "No.")


def test_only_the_sandbox_can_be_read_with_sql() -> None:
    database, _ = odoo(httpx.Response(200, json=1))
    with pytest.raises(RuntimeError, match="sandbox"):
        database.sql("select 1")
