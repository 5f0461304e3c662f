"""JSON-2, Odoo's HTTP interface from version 19 on: one call, one transaction, one answer.

``POST /json/2/<model>/<method>`` with named arguments, ``ids`` and ``context``; the answer is bare
JSON. Every status is turned into one of the product's errors, by who must act. Odoo's built-in
server closes the connection after each reply and finishes calls whose client has gone: a call
without an answer has an unknown outcome, and only a claim makes it safe to send again.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import httpx

from edge_contract.errors import NeedsOperator, Rejected, Retryable

#: Seconds. Odoo replays a call that lost a race up to five times, each as slow as the first.
DEFAULT_TIMEOUT = 120.0
CONNECT_TIMEOUT = 10.0

#: Statuses that say nothing about the call itself: send it again later.
_RETRYABLE = frozenset({408, 409, 423, 425, 429})


class Json2:
    """One key's access to one Odoo database."""

    def __init__(
        self,
        url: str,
        database: str,
        key: str,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Raises ``NeedsOperator`` for an address or a key that no request can be made with."""
        self.url = url.rstrip("/")
        self.database = database
        _check_address(url)
        _check_key(key)
        headers = {"Authorization": f"bearer {key}"}
        if database:
            headers["X-Odoo-Database"] = database
        self._client = httpx.AsyncClient(
            base_url=self.url,
            headers=headers,
            timeout=httpx.Timeout(timeout, connect=min(timeout, CONNECT_TIMEOUT)),
            transport=transport,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close what is open; calls in flight are left to Odoo, which finishes them."""
        await self._client.aclose()

    async def call(self, model: str, method: str, **named: Any) -> Any:
        """Call a public method; recordsets come back as lists of ids.

        Raises ``Retryable`` (outcome unknown), ``Rejected`` with code ``odoo_refused`` (a business
        reason, in Odoo's words), ``missing`` (no such record, model or method) or ``bad_call`` (the
        arguments are wrong), or ``NeedsOperator`` with code ``bad_key``, ``no_rights`` or
        ``not_odoo``.
        """
        what = f"{model}/{method}"
        try:
            reply = await self._client.post(f"/json/2/{what}", json=named)
        except httpx.TimeoutException as error:
            raise Retryable(
                f"Odoo at {self.url} did not answer {what} in time ({type(error).__name__}): "
                "its outcome is unknown."
            ) from error
        except httpx.TransportError as error:
            said = str(error) or type(error).__name__
            raise Retryable(f"Odoo at {self.url} cannot be reached for {what}: {said}.") from error
        if reply.status_code == 200:
            return self._body(reply, what)
        raise self._error(reply, what)

    async def version(self) -> str:
        """Odoo's version, such as ``19.0``, which it tells anybody; '' when it does not."""
        try:
            reply = await self._client.get("/web/version")
            return str(reply.json()["version"]) if reply.status_code == 200 else ""
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return ""

    def _body(self, reply: httpx.Response, what: str) -> Any:
        try:
            return reply.json()
        except ValueError as error:
            raise NeedsOperator(
                "not_odoo",
                f"{self.url} answered {what} with something that is not JSON "
                f"({reply.headers.get('content-type', 'no content type')}).",
                "Check the address: it must be that of Odoo itself, without a path.",
            ) from error

    def _error(self, reply: httpx.Response, what: str) -> Exception:
        status = reply.status_code
        name, message = error_of(reply)
        said = f"Odoo at {self.url} answered {what} with {status}: {message}"
        if status in _RETRYABLE or status >= 500:
            return Retryable(said)
        if status == 401:
            return NeedsOperator(
                "bad_key",
                f"Odoo at {self.url} does not know the key (database "
                f"{self.database or 'default'}).",
                "Make a new API key for the relay's user and put it where the configuration says.",
            )
        if status == 403:
            return NeedsOperator(
                "no_rights",
                said,
                "Put the relay's user into its group with `cloud-relay odoo install --user LOGIN`, "
                "and see what else is missing with `cloud-relay odoo check`.",
            )
        if 300 <= status < 400:
            return NeedsOperator(
                "not_odoo",
                f"{self.url} redirects {what} to {reply.headers.get('location', 'elsewhere')}.",
                "Set the address it redirects to, and check the database's name.",
            )
        if name.startswith("odoo.exceptions.") and status == 422:
            return Rejected("odoo_refused", message)
        if status == 404:
            if not name:
                return NeedsOperator(
                    "not_odoo",
                    f"{self.url} has no JSON-2 or no database {self.database or '(default)'}.",
                    "It takes Odoo 19 or later with the module rpc; check address and database.",
                )
            return Rejected("missing", said)
        return Rejected("bad_call", said)


def _check_address(url: str) -> None:
    try:
        address = httpx.URL(url)
        good = address.scheme in {"http", "https"} and address.host and (address.port or 1) < 65536
    except (httpx.InvalidURL, ValueError):
        good = False
    if not good:
        raise NeedsOperator(
            "configuration",
            f"{url} is no address of Odoo.",
            "Write it as https://odoo.example.com or http://127.0.0.1:8069.",
        )


def _check_key(key: str) -> None:
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise NeedsOperator(
            "bad_key",
            "The API key is empty or has characters that no key of Odoo has.",
            "Put the key alone into its file, as Odoo showed it: 40 letters and digits.",
        )


def error_of(reply: httpx.Response) -> tuple[str, str]:
    """Odoo's ``name`` (a Python exception) and ``message``; no name when it is not Odoo's JSON."""
    try:
        body = reply.json()
    except ValueError:
        return "", reply.reason_phrase or "no reason given"
    if not isinstance(body, dict) or not isinstance(body.get("name"), str):
        return "", reply.reason_phrase or "no reason given"
    return body["name"], str(body.get("message") or "").strip() or body["name"]
