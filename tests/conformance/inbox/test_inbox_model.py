"""The store in SQLite does what the inbox in memory does, whatever comes in whatever order."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from cloud_relay.inbox.fake import MemoryInbox
from cloud_relay.inbox.port import GenerationReused, Inbox, Verdict
from cloud_relay.inbox.store import SqliteInbox
from edge_contract.errors import Rejected

Make = Any

EVENTS = st.tuples(
    st.sampled_from(["line", "line", "line", "count", "reading", "back"]),
    st.sampled_from("abcdefgh"),
    st.sampled_from(["scanner-1", "scanner-2"]),
    st.sampled_from(["OUT/1", "OUT/2"]),
    st.integers(1, 9),
)
STEPS = st.one_of(
    st.tuples(
        st.just("store"),
        st.lists(EVENTS, min_size=1, max_size=5),
        st.sampled_from([("north", "company"), ("south", "company"), ("west", "sister")]),
        st.sampled_from(["a", "b"]),
    ),
    st.tuples(
        st.just("settle"),
        st.sampled_from(["applied", "applied", "held", "short", "rejected", "waiting"]),
        st.integers(1, 3),
        st.sampled_from(["", "unknown_event", "insufficient_stock"]),
    ),
    st.tuples(st.sampled_from(["replay", "discard", "set_aside"]), st.integers(1, 12)),
    st.tuples(st.just("requeue"), st.integers(0, 20)),
    st.tuples(st.just("prune"), st.sampled_from([1, 31, 91])),
)


def made(make: Make, described: tuple[str, str, str, str, int], outbox: str) -> Any:
    kind, name, device, document, minutes = described
    rest = {"device": device, "minutes": -minutes, "outbox": outbox}
    if kind == "line":
        return make.line(name, document=document, **rest)
    if kind == "back":
        return make.takes_back(f"back {name}", name, **rest)
    return getattr(make, kind)(f"{kind} {name}", **rest)


async def step(inbox: Inbox, make: Make, action: tuple[Any, ...], minute: int) -> object:
    now = make.at(minute)
    try:
        if action[0] == "store":
            reply = await inbox.store(action[-1])
            return reply.new, reply.duplicates, reply.stored_through, len(reply.refused)
        if action[0] == "settle":
            _, status, count, code = action
            ready = (await inbox.ready("company", now, 50))[:count]
            later = make.at(minute + 2) if status in {"short", "waiting"} else None
            await inbox.settle(
                [Verdict(e.number, status, code, next_attempt=later) for e in ready], now
            )
        elif action[0] == "replay":
            return await inbox.replay([action[1]], "ada", now)
        elif action[0] == "requeue":
            return await inbox.requeue_since("company", make.at(action[1]), "ada", now)
        elif action[0] == "prune":
            return await inbox.prune(make.at(action[1] * 24 * 60))
        else:
            await getattr(inbox, action[0])(action[1], "ada", "because", now)
    except (GenerationReused, Rejected) as error:
        return error.code
    return None


async def seen(inbox: Inbox, make: Make, minute: int) -> dict[str, object]:
    now = make.at(minute)
    return {
        "ready": [
            [(e.number, e.lane, e.status, e.attempts) for e in await inbox.ready(t, now, 50)]
            for t in ("company", "sister")
        ],
        "progress": [
            (p.oldest_open, p.next_due)
            for p in [await inbox.progress(t, now) for t in ("company", "sister")]
        ],
        "held": [(e.number, e.status, e.code, e.lane) for e in await inbox.held()],
        "down": [
            [
                (item.outcome.event, item.outcome.stage, item.outcome.code)
                for item in await inbox.downlink(site, 0, 999)
            ]
            for site in ("north", "south", "west")
        ],
        "sites": [
            (s.site, s.waiting, s.held, s.applied, s.oldest_waiting, dict(s.counters))
            for s in await inbox.sites()
        ],
        "alarms": sorted(alarm.key for alarm in await inbox.alarms()),
        "audit": [(a.action, a.subject) for a in await inbox.audit(99)],
    }  # fmt: skip


@given(st.lists(STEPS, min_size=1, max_size=12), st.data())
@settings(
    max_examples=10,
    # A failure is shown as it was found: to shrink it takes minutes of commits.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_the_store_and_the_inbox_in_memory_agree(
    make: Make, steps: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    make = type(make)()  # positions begin anew with every example
    batches: list[Any] = []

    async def scene() -> None:
        with tempfile.TemporaryDirectory() as folder:
            real, plain = await SqliteInbox.open(Path(folder) / "inbox.db"), MemoryInbox()
            try:
                for minute, action in enumerate(steps):
                    if action[0] == "store":
                        _, described, (site, target), outbox = action
                        outbox = f"{site} {outbox}"
                        if batches and data.draw(st.booleans(), label="send again"):
                            batch = data.draw(st.sampled_from(batches), label="which")
                        else:
                            batch = make.arrival(
                                *(made(make, one, outbox) for one in described),
                                site=site, target=target, outbox=outbox, minutes=minute,
                            )  # fmt: skip
                            batches.append(batch)
                        action = (*action, batch)
                    results = [await step(inbox, make, action, minute) for inbox in (real, plain)]
                    assert results[0] == results[1], action
                    views = [await seen(inbox, make, minute) for inbox in (real, plain)]
                    assert views[0] == views[1], action
            finally:
                await real.close()

    asyncio.run(scene())
