"""Prints a label for whoever asks on the local socket, and tells what became of it."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from edge_agent.devices.links import Link
from edge_agent.devices.printers.jobs import PrintJob
from edge_agent.devices.printers.link import PrinterLink
from edge_contract.errors import Rejected

#: Whoever asks hears this often that it goes on.
_SIGN_OF_LIFE_S = 2.0


async def printed(links: Sequence[Link], question: Mapping[str, Any]) -> AsyncIterator[Any]:
    """``printer``, ``data_base64``, and perhaps ``copies``, ``document`` and ``package``.

    Yields ``{"state": "printing"}`` while it lasts, then what became of it. The job goes on when
    nobody listens any more.
    """
    link, job = _printer(links, question.get("printer")), _job(question)
    work = asyncio.ensure_future(asyncio.to_thread(link.print, job))
    while not (await asyncio.wait({work}, timeout=_SIGN_OF_LIFE_S))[0]:
        yield {"state": "printing", "printer": link.name}
    yield {"state": "ended", "printer": link.name, **asdict(work.result())}


def _printer(links: Sequence[Link], name: object) -> PrinterLink:
    printers = {link.name: link for link in links if isinstance(link, PrinterLink)}
    found = printers.get(name) if isinstance(name, str) else None
    if found is None:
        known = ", ".join(sorted(printers)) or "none is configured"
        raise Rejected("unknown-printer", f"There is no printer {name!r}. Known: {known}.")
    return found


def _job(question: Mapping[str, Any]) -> PrintJob:
    copies = question.get("copies", 1)
    if not isinstance(copies, int) or isinstance(copies, bool) or copies < 1:
        raise Rejected("bad-question", "copies must be a number of 1 or more.")
    try:
        data = base64.b64decode(str(question.get("data_base64", "")), validate=True)
    except (binascii.Error, ValueError):
        raise Rejected("bad-question", "data_base64 is no base64.") from None
    named = {key: question.get(key) for key in ("document", "package")}
    for key, value in named.items():
        if value is not None and not isinstance(value, str):
            raise Rejected("bad-question", f"{key} must be a text.")
    return PrintJob(data, copies, named["document"], named["package"])
