"""Reading a body within bounds, before and after decompression."""

from __future__ import annotations

import asyncio
import zlib

from starlette.requests import ClientDisconnect, Request

from cloud_relay.intake.problems import Refusal, refuse

#: zlib's ``wbits`` for a gzip header and trailer.
_GZIP = 31


async def read_body(request: Request, most: int, seconds: float) -> bytes:
    """The body, decompressed; at most ``most`` bytes before and after.

    Raises :class:`Refusal` with ``too-large``, ``unsupported-media-type`` or ``unavailable``.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"identity", "gzip"}:
        raise refuse(
            "unsupported-media-type",
            f"Content-Encoding {encoding[:40]} is not supported.",
            "Send gzip, or no encoding.",
        )
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > most:
        raise _too_large(most)
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    raise _too_large(most)
    except TimeoutError:
        raise refuse(
            "unavailable",
            f"The body did not arrive within {seconds:g} s.",
            "Send it again over a better connection, or send fewer events at once.",
        ) from None
    except ClientDisconnect:
        raise refuse("unavailable", "The body ended early: the connection was closed.") from None
    return gunzip(bytes(body), most) if encoding == "gzip" else bytes(body)


def gunzip(body: bytes, most: int) -> bytes:
    """Decompress one gzip member, never holding more than ``most`` bytes of it.

    A damaged body is the way's fault and not that of its events: it is answered so that the sender
    repeats it, and never so that it sets an event aside.
    """
    inflate = zlib.decompressobj(_GZIP)
    try:
        plain = inflate.decompress(body, most + 1)
    except zlib.error as error:
        raise refuse(
            "unsupported-media-type",
            f"The body is not gzip, or was damaged on its way: {error}.",
            "Compress it again, or leave Content-Encoding out.",
        ) from None
    if len(plain) > most:
        raise _too_large(most)
    if not inflate.eof or inflate.unused_data:
        raise refuse(
            "unavailable",
            "The gzip body is cut off." if not inflate.eof else "Bytes follow the gzip body.",
            "Compress it again, as one gzip member.",
        )
    return plain


def _too_large(most: int) -> Refusal:
    return refuse(
        "too-large",
        f"The body is larger than {most} bytes, before or after decompression.",
        "Send fewer events in a batch.",
        limit_bytes=most,
    )
