"""The relay over HTTPS: :class:`edge_agent.sync.port.Relay` with httpx.

Only an answer that *is* the contract's counts. A captive portal's 200 with a page, a proxy's 422
without a problem document: neither marks an event as relayed nor sets one aside.
"""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import httpx
from pydantic import BaseModel, ValidationError

from edge_agent.sync.answers import error_for, retry_after
from edge_contract.batch import (
    AGENT_HEADER,
    BATCH_MEDIA_TYPE,
    GENERATION_HEADER,
    BatchReply,
    DownlinkReply,
    Heartbeat,
    HeartbeatReply,
)
from edge_contract.errors import NeedsOperator, Retryable

Reply = TypeVar("Reply", bound=BaseModel)

#: Bodies above this many bytes are compressed on another thread: zlib lets the loop go on.
_INLINE_BYTES = 32 * 1024
#: Level 1: event JSON shrinks ten-fold already, at a quarter of the default level's time.
_GZIP_LEVEL = 1
#: No answer of the contract comes near this.
_MOST_ANSWER_BYTES = 16 * 1024 * 1024
#: Seconds that sending and reading may take beside waiting for the answer: a slow link is no fault.
_MOST_TRANSFER_S = 120.0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. ``answer`` is the longest silence from the relay, ``poll`` how long it may hold a
    downlink request back when there is nothing to tell."""

    connect: float = 10.0
    answer: float = 20.0
    poll: int = 25


class HttpRelay:
    """``token`` is asked for each request, so that a renewed secret needs no restart."""

    def __init__(
        self,
        url: str,
        agent: str,
        token: Callable[[], str],
        *,
        ca_file: Path | None = None,
        timeouts: Timeouts | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = url
        self._agent = agent
        self._token = token
        self._timeouts = timeouts or Timeouts()
        self._client = httpx.AsyncClient(
            base_url=url,
            verify=trust(ca_file) if url.startswith("https:") else False,
            transport=transport,
            follow_redirects=False,
            trust_env=False,
            limits=httpx.Limits(max_connections=4, keepalive_expiry=60),
        )

    async def send(self, generation: UUID, events: Sequence[str]) -> BatchReply:
        body = ("[" + ",".join(events) + "]").encode()
        if len(body) > _INLINE_BYTES:
            body = await asyncio.to_thread(gzip.compress, body, _GZIP_LEVEL)
        else:
            body = gzip.compress(body, _GZIP_LEVEL)
        headers = {
            "Content-Type": BATCH_MEDIA_TYPE,
            "Content-Encoding": "gzip",
            AGENT_HEADER: self._agent,
            GENERATION_HEADER: str(generation),
        }
        return await self._call(BatchReply, "POST", "/v1/batches", headers=headers, content=body)

    async def heartbeat(self, heartbeat: Heartbeat) -> HeartbeatReply:
        return await self._call(
            HeartbeatReply,
            "POST",
            "/v1/heartbeats",
            headers={"Content-Type": "application/json"},
            content=heartbeat.model_dump_json(exclude_none=True).encode(),
        )

    async def downlink(self, after: int) -> DownlinkReply:
        return await self._call(
            DownlinkReply,
            "GET",
            "/v1/downlink",
            params={"after": str(after), "wait": str(self._timeouts.poll)},
            patience=float(self._timeouts.poll),
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def _call(
        self,
        reply: type[Reply],
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
        patience: float = 0.0,
    ) -> Reply:
        silence = self._timeouts.answer + patience
        request = self._client.build_request(
            method,
            path,
            headers={"Authorization": f"Bearer {self._token()}", **(headers or {})},
            params=params,
            content=content,
            timeout=httpx.Timeout(silence, connect=self._timeouts.connect),
        )
        try:
            async with asyncio.timeout(silence + _MOST_TRANSFER_S):
                response, body = await self._exchange(request)
        except (httpx.TimeoutException, TimeoutError) as error:
            raise Retryable(
                f"The relay at {self._url} did not answer within {silence:.0f} s."
            ) from error
        except (httpx.HTTPError, ssl.SSLError, OSError) as error:
            raise _unreachable(self._url, error) from error
        if response.is_success:
            try:
                return reply.model_validate_json(body)
            except ValidationError as error:
                raise Retryable(
                    f"What answers at {self._url} is no relay of this version (a captive portal "
                    f"or a proxy?): {error.errors()[0]['msg']}. It is asked again."
                ) from error
        raise error_for(
            response.status_code,
            response.headers.get("content-type", ""),
            body,
            retry_after(response.headers.get("retry-after")),
            self._url,
        )

    async def _exchange(self, request: httpx.Request) -> tuple[httpx.Response, bytes]:
        """Send and read an answer of bounded length, whoever sends it."""
        response = await self._client.send(request, stream=True)
        try:
            body = bytearray()
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > _MOST_ANSWER_BYTES:
                    raise Retryable(f"What answers at {self._url} does not stop; it is cut off.")
        finally:
            await response.aclose()
        return response, bytes(body)


def trust(ca_file: Path | None) -> ssl.SSLContext:
    """Whom to believe: the CA of ``ca_file``, else the system's."""
    try:
        return ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except (OSError, ssl.SSLError) as error:
        raise NeedsOperator(
            "configuration",
            f"The certificates in {ca_file} cannot be used: {error}.",
            "Put the relay's CA certificate there (PEM), readable by the agent's user.",
        ) from error


def _unreachable(url: str, error: Exception) -> Retryable | NeedsOperator:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return NeedsOperator(
                "certificate",
                f"The certificate of {url} is not trusted: {cause.verify_message}.",
                "Check uplink.ca_file, the certificate's dates, and this host's clock.",
            )
        cause = cause.__cause__ or cause.__context__
    return Retryable(f"The relay at {url} cannot be reached: {error or type(error).__name__}.")
