"""The relay's way into Odoo: a batch goes through the one server action and comes back answered.

The action is found by the row that the installation left among the claims (a stock user may read
those and nothing of ``ir.actions.server``). Each batch carries the digest of the action that this
relay was made with; the action compares it with its own text before it touches anything.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import httpx
from pydantic import ValidationError

from cloud_relay.odoo.json2 import DEFAULT_TIMEOUT, Json2
from cloud_relay.odoo.port import OdooBatch, OdooReply
from cloud_relay.odoo.schema import ACTION_KEY, CLAIMS
from cloud_relay.odoo.source import ACTION_VERSION, action_source, digest
from edge_contract import killpoint
from edge_contract.errors import EdgeError, NeedsOperator, Rejected, Retryable

INSTALL_REMEDY = "Run `cloud-relay odoo install` with an administrator's key."


class Json2Gateway:
    """Implements :class:`cloud_relay.odoo.port.OdooApplier` for one key and database."""

    def __init__(
        self,
        url: str,
        database: str,
        key: str,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        transport: httpx.AsyncBaseTransport | None = None,
        source: str | None = None,
    ) -> None:
        self._odoo = Json2(url, database, key, timeout=timeout, transport=transport)
        self._digest = digest(action_source() if source is None else source)
        self._action: int | None = None

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
        await self._odoo.aclose()

    async def call(self, model: str, method: str, **named: Any) -> Any:
        """Any public method, for the relay's own look-ups; see :meth:`Json2.call`."""
        return await self._odoo.call(model, method, **named)

    async def version(self) -> str:
        """See :meth:`Json2.version`."""
        return await self._odoo.version()

    async def apply(self, batch: OdooBatch) -> OdooReply:
        """Apply a batch exactly once; see the port for what it raises."""
        answer = await self.run(batch.model_dump(mode="json"))
        killpoint.reached("relay.odoo_answered")
        try:
            reply = OdooReply.model_validate(answer)
        except ValidationError as error:
            raise NeedsOperator(
                "action_changed",
                f"Odoo's answer to a batch is not one of version {ACTION_VERSION}: "
                f"{error.errors()[0]['msg']}.",
                INSTALL_REMEDY,
            ) from error
        asked = [event.key for event in batch.events]
        if [result.key for result in reply.results] != asked:
            raise NeedsOperator(
                "action_changed",
                f"Odoo answered other events than the {len(asked)} of the batch.",
                INSTALL_REMEDY,
            )
        return reply

    async def run(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Run the action with a batch as plain data and return its answer; stops are raised."""
        try:
            answer = await self._run_once(batch)
        except Rejected as error:
            if error.code != "missing" or self._action is None:
                raise _as_applier_error(error) from error
            # The action was installed anew: its id is another one now.
            self._action = None
            try:
                answer = await self._run_once(batch)
            except Rejected as again:
                raise _as_applier_error(again) from again
        if not isinstance(answer, dict):
            raise NeedsOperator(
                "action_changed", "Odoo's action gave no answer to a batch.", INSTALL_REMEDY
            )
        if "stop" in answer:
            raise _stop(answer)
        return answer

    async def _run_once(self, batch: dict[str, Any]) -> Any:
        if self._action is None:
            self._action = await self._find_action()
        context = {"relay_batch": batch | {"action": self._action, "action_digest": self._digest}}
        return await self._odoo.call(
            "ir.actions.server", "run", ids=[self._action], context=context
        )

    async def _find_action(self) -> int:
        try:
            rows = await self._odoo.call(
                CLAIMS.model,
                "search_read",
                domain=[["x_key", "=", ACTION_KEY]],
                fields=["x_record_id"],
            )
        except Rejected as error:
            raise _as_applier_error(error) from error
        if not rows:
            raise NeedsOperator("not_installed", "Odoo has no action of the relay.", INSTALL_REMEDY)
        return int(rows[0]["x_record_id"])


def _as_applier_error(error: Rejected) -> EdgeError:
    if error.code == "missing":
        return NeedsOperator(
            "not_installed", f"Odoo has nothing of the relay ({error.message}).", INSTALL_REMEDY
        )
    # The action answers refusals one by one; one for the whole batch is Odoo's, such as a module
    # being installed right now, and nothing of the batch was applied.
    return Retryable(f"Odoo refused a whole batch: {error.message}")


def _stop(answer: dict[str, Any]) -> NeedsOperator:
    uuid = answer.get("uuid", "")
    stops = {
        "uuid_changed": (
            f"The Odoo database is another one than before (its uuid is {uuid} now), as a staging "
            "copy has.",
            "Point the relay at the right database, or bind the target to this one on purpose.",
        ),
        "went_back": (
            "The newest claim this relay knows of is gone from Odoo, as after a restored backup.",
            "Confirm it, and let the relay replay what it applied since.",
        ),
        "action_changed": (
            f"The action in Odoo is not the one of this relay (version {ACTION_VERSION}).",
            "Run `cloud-relay odoo install` with an administrator's key to bring it up to date.",
        ),
    }
    code = str(answer["stop"])
    message, remedy = stops.get(code, (f"The action in Odoo stopped: {code}.", INSTALL_REMEDY))
    return NeedsOperator(code, message, remedy)
