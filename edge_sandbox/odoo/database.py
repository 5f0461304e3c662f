"""One Odoo database as a test or the demo sees it: calls over HTTP, and a look with SQL."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import httpx
import psycopg

#: Seconds. The server's first call on a new database loads its registry; contended ones wait.
_TIMEOUT = 180.0


class OdooFault(Exception):
    """Odoo refused or failed. ``name`` is Odoo's class of it, ``status`` the HTTP status
    (0 when Odoo 18 or older said it inside a 200)."""

    def __init__(self, name: str, message: str, status: int, debug: str = "") -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message
        self.status = status
        self.debug = debug

    @property
    def is_refusal(self) -> bool:
        """A business rule said no, as opposed to a mistake of the caller or the server."""
        return self.name.startswith("odoo.exceptions.")


class OdooDatabase:
    """``name`` at ``url`` with the API key of one user: JSON-2, or JSON-RPC before Odoo 19.

    ``stock_key`` and ``dsn`` are there in the sandbox: the key of a mere stock user, and the way
    into the database itself.
    """

    def __init__(
        self,
        url: str,
        name: str,
        key: str,
        *,
        login: str = "admin",
        series: int = 19,
        stock_key: str = "",
        dsn: str = "",
        client: httpx.Client | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self.name = name
        self.key = key
        self.login = login
        self.series = series
        self.stock_key = stock_key
        self.dsn = dsn
        self._client = client or httpx.Client(timeout=_TIMEOUT, trust_env=False)

    def __repr__(self) -> str:
        return f"OdooDatabase({self.url!r}, {self.name!r}, login={self.login!r})"

    def as_user(self, key: str, login: str = "") -> OdooDatabase:
        """The same database with another user's key. Odoo 18 and older need the ``login`` too."""
        return OdooDatabase(
            self.url,
            self.name,
            key,
            login=login,
            series=self.series,
            stock_key=self.stock_key,
            dsn=self.dsn,
            client=self._client,
        )

    @cached_property
    def stock_user(self) -> OdooDatabase:
        """The sandbox's user ``edge``, who has a stock user's rights and no more."""
        return self.as_user(self.stock_key, "edge")

    @property
    def uuid(self) -> str:
        """Odoo's ``database.uuid``; reading it takes an administrator's key."""
        return str(self.call("ir.config_parameter", "get_param", key="database.uuid"))

    def call(self, model: str, method: str, **named: Any) -> Any:
        """Call a method with named arguments; ``ids`` are the records it is called on.

        One call is one transaction. Raises :class:`OdooFault`, and ``httpx.HTTPError`` when no
        answer came.
        """
        if self.series < 19:
            return self._call_jsonrpc(model, method, named)
        answer = self._client.post(
            f"{self.url}/json/2/{model}/{method}",
            json=named,
            headers={"Authorization": f"bearer {self.key}", "X-Odoo-Database": self.name},
        )
        if answer.is_success:
            return answer.json()
        raise _fault(answer)

    def sql(self, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Read the database behind Odoo's back. It cannot write."""
        if not self.dsn:
            raise RuntimeError("only the sandbox's own databases can be read with SQL")
        with psycopg.connect(
            self.dsn, autocommit=True, options="-c default_transaction_read_only=on"
        ) as connection:
            return connection.execute(query.encode(), parameters or None).fetchall()

    def close(self) -> None:
        self._client.close()

    # -- Odoo 17 and 18 ------------------------------------------------------------------------

    @cached_property
    def _uid(self) -> int:
        uid = self._jsonrpc("common", "authenticate", [self.name, self.login, self.key, {}])
        if not uid:
            raise OdooFault("odoo.exceptions.AccessDenied", "The key is not valid.", 401)
        return int(uid)

    def _call_jsonrpc(self, model: str, method: str, named: dict[str, Any]) -> Any:
        positional = [named.pop("ids")] if "ids" in named else []
        arguments = [self.name, self._uid, self.key, model, method, positional, named]
        return self._jsonrpc("object", "execute_kw", arguments)

    def _jsonrpc(self, service: str, method: str, arguments: list[Any]) -> Any:
        answer = self._client.post(
            f"{self.url}/jsonrpc",
            json={
                "jsonrpc": "2.0",
                "method": "call",
                "params": {"service": service, "method": method, "args": arguments},
            },
        )
        answer.raise_for_status()
        body = answer.json()
        if "error" in body:
            data = body["error"].get("data", {})
            raise OdooFault(
                str(data.get("name", "")), str(data.get("message", "")), 0, data.get("debug", "")
            )
        return body.get("result")


def _fault(answer: httpx.Response) -> OdooFault:
    try:
        body = answer.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return OdooFault("", answer.text[:500], answer.status_code)
    return OdooFault(
        str(body.get("name", "")),
        str(body.get("message", "")),
        answer.status_code,
        str(body.get("debug", "")),
    )
