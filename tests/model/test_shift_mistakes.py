"""The random shifts find mistakes that were built in on purpose.

Each mistake is one that a hasty hand could make, and each breaks another promise: that what was
acknowledged is there, that an event has its effect once, that a count is about its own time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from uuid import uuid4

import pytest
from hypothesis import seed, settings
from hypothesis.stateful import run_state_machine_as_test

from cloud_relay.inbox.port import Arrival
from cloud_relay.inbox.store import SqliteInbox
from cloud_relay.odoo.source import action_source
from edge_contract.batch import BatchReply
from edge_contract.mqtt import Feedback
from tests.model.shift_agent import AgentHost
from tests.model.shift_end import ShiftWrong
from tests.model.shift_machine import Shift
from tests.model.shift_scene import Floor
from tests.model.test_random_shifts import SHORT


class HastyAgent(AgentHost):
    """Lets the device forget before anything is stored."""

    def take_in(
        self, burst: Sequence[tuple[str, bytes]], hear: Callable[[str, Feedback], None]
    ) -> None:
        for device, payload in burst:
            said = Feedback(event=self.event_of(payload), stage="stored", ok=True, tone="good")
            hear(device, said)
        super().take_in(burst, lambda *_: None)


class ForgetfulInbox(SqliteInbox):
    """Takes every copy that reaches it for another event."""

    async def store(self, arrival: Arrival) -> BatchReply:
        fresh = []
        for event in arrival.events:
            known = await self.entry(event.device, event.id)
            fresh.append(event if known is None else event.model_copy(update={"id": uuid4()}))
        events = {event.position: event for event in fresh}
        again = Arrival(
            arrival.site, arrival.target, arrival.agent, uuid4(), tuple(events.values()),
            arrival.received,
        )  # fmt: skip
        reply = await super().store(again)
        return reply.model_copy(update={"generation": arrival.generation})


#: An action that never finds a claim, and one that makes today's stock what was counted.
CLAIMS_FORGOTTEN = (
    "    fresh = claim(events) if events else set()\n",
    '    release([e["key"] for e in events])\n    fresh = claim(events) if events else set()\n',
)
COUNT_IS_ABSOLUTE = (
    'count["delta"] = count["counted"] - figure(book, place, order)',
    'count["delta"] = count["counted"] - book["now"][place]',
)


def broken(right: str, wrong: str) -> str:
    text = action_source()
    assert text.count(right) == 1, f"{right!r} occurs {text.count(right)} times"
    return text.replace(right, wrong)


@pytest.fixture
def mended(floor: Floor) -> Iterator[Floor]:
    yield floor
    floor.install(action_source())


def found(machine: type[Shift], chance: int) -> str:
    """What the shifts say about a machine with a mistake; fails when they say nothing.

    ``chance`` seeds the shifts, so that the mistake shows in one of the first three; without it
    the figure in the settings is how many shifts are tried.
    """
    seed(chance)(machine)
    with pytest.raises(ShiftWrong) as caught:
        run_state_machine_as_test(
            machine, settings=settings(SHORT, max_examples=20, derandomize=False)
        )
    return str(caught.value)


def test_an_agent_that_acknowledges_before_it_stores_loses_events(floor: Floor) -> None:
    machine = type("Hasty", (Shift,), {"floor": floor, "agent_host": HastyAgent})

    assert "is lost" in found(machine, 5)


def test_a_relay_that_takes_copies_for_news_books_them_twice(floor: Floor) -> None:
    machine = type("Forgetful", (Shift,), {"floor": floor, "inbox": ForgetfulInbox})

    found(machine, 2)


def test_an_action_that_forgets_its_claims_books_twice(mended: Floor) -> None:
    mended.install(broken(*CLAIMS_FORGOTTEN))
    machine = type("Claimless", (Shift,), {"floor": mended})

    found(machine, 2)


def test_a_count_that_is_taken_for_todays_figure_falsifies_the_stock(mended: Floor) -> None:
    mended.install(broken(*COUNT_IS_ABSOLUTE))
    machine = type("Absolute", (Shift,), {"floor": mended})

    assert found(machine, 1).startswith(("stock", "what was moved"))
