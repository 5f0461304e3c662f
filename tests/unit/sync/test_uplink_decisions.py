"""The uplink's decisions, played against a relay in four lines. No I/O, no clock."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import InitVar, dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from edge_agent.sync.actions import Batch, Beat, Fetch, Limits, Renew, Send, SetAside, Wait
from edge_agent.sync.backoff import Backoff
from edge_agent.sync.port import BatchRefused, Busy, GenerationReused
from edge_agent.sync.uplink import MAX_SUSPECTS, Uplink
from edge_contract.batch import HeartbeatReply
from edge_contract.errors import EdgeError, NeedsOperator, Rejected, Retryable

Judge = Callable[[Batch], EdgeError | None]


def reply(through: int = 0, stop: str | None = None) -> HeartbeatReply:
    return HeartbeatReply(
        stored_through=through, time=datetime.now(UTC), site="s", odoo="ok", stop=stop
    )


@dataclass
class Play:
    """A machine, an outbox of positions, and a relay that ``judge`` stands for."""

    pending: list[int]
    judge: Judge = lambda _batch: None
    limits: Limits = field(default_factory=Limits)
    now: float = 0.0
    beat: HeartbeatReply = field(default_factory=reply)
    stored: list[int] = field(default_factory=list)
    aside: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    waited: list[float | None] = field(default_factory=list)
    renewals: int = 0
    text: Callable[[int], str] = "e{}".format
    kind: InitVar[type[Uplink]] = Uplink

    def __post_init__(self, kind: type[Uplink]) -> None:
        self.machine = kind(Backoff(lambda: 0.5, first_s=1, ceiling_s=30), self.limits)

    def until_idle(self, steps: int = 2000) -> None:
        """Play on, letting time pass, until there is nothing more to wait for."""
        for _ in range(steps):
            action = self.machine.next(self.now)
            if isinstance(action, Wait):
                self.waited.append(action.seconds)
                if action.seconds is None:
                    return
                self.now += action.seconds
            else:
                self.do(action)
        raise AssertionError("the uplink never came to rest")

    def do(self, action: object) -> None:
        match action:
            case Beat():
                self.machine.beaten(self.beat, max(self.pending, default=0), len(self.pending))
            case Fetch(events, _):
                self.machine.fetching(self.now)
                self.machine.fetched([(p, self.text(p)) for p in self.pending[:events]])
            case Send(batch):
                self.sizes.append(len(batch))
                error = self.judge(batch)
                if error is None:
                    self._settle(batch.positions, self.stored)
                    self.machine.stored(self.now)
                elif isinstance(error, BatchRefused):
                    self.machine.refused(error, self.now)
                else:
                    self.machine.failed(error, self.now)
            case SetAside():
                self._settle([action.position], self.aside)
                self.machine.set_aside()
            case Renew():
                self.renewals += 1
                self.machine.renewed()

    def _settle(self, positions: list[int], where: list[int]) -> None:
        where.extend(positions)
        gone = set(positions)
        self.pending = [p for p in self.pending if p not in gone]


def refuses(*poison: int, named: bool = False) -> Judge:
    def judge(batch: Batch) -> EdgeError | None:
        found = frozenset(poison) & frozenset(batch.positions)
        if not found:
            return None
        return BatchRefused("bad-batch", "no such kind", found if named else frozenset())

    return judge


def test_it_asks_where_it_stands_before_it_sends_anything() -> None:
    machine = Uplink(Backoff(lambda: 0.5))
    assert machine.next(0) == Beat()


def test_a_backlog_goes_up_in_order_in_batches_of_the_limit() -> None:
    play = Play(list(range(1, 1201)))
    play.until_idle()
    assert play.stored == list(range(1, 1201))
    assert play.sizes == [500, 500, 200]
    assert play.waited == [0.05, None]


def test_a_batch_is_the_same_again_until_it_is_answered() -> None:
    sent: list[list[int]] = []

    def judge(batch: Batch) -> EdgeError | None:
        sent.append(batch.positions)
        return Retryable("cut") if len(sent) < 4 else None

    play = Play([1, 2, 3], judge)
    play.until_idle()
    assert sent == [[1, 2, 3]] * 4
    assert play.stored == [1, 2, 3]


def test_failures_are_waited_out_ever_longer_and_a_success_ends_that() -> None:
    play = Play([1], lambda _: Retryable("cut"))
    for _ in range(40):
        action = play.machine.next(play.now)
        if isinstance(action, Wait):
            assert action.seconds is not None
            play.waited.append(action.seconds)
            play.now += action.seconds
        else:
            play.do(action)
    assert play.waited[:6] == [0.5, 1, 2, 4, 8, 15]
    assert (play.machine.link, play.machine.trouble) != ("up", None)
    play.judge = lambda _: None
    play.until_idle()
    assert (play.machine.link, play.machine.trouble) == ("up", None)


def test_the_relays_patience_is_kept() -> None:
    judged: list[float] = []
    play = Play([1])

    def judge(_: Batch) -> EdgeError | None:
        judged.append(play.now)
        return Busy("slow down", retry_after=20) if len(judged) == 1 else None

    play.judge = judge
    play.until_idle()
    assert judged[1] - judged[0] >= 20


@pytest.mark.parametrize("named", [False, True])
def test_a_poisoned_event_is_set_aside_and_its_neighbours_are_stored_in_order(named: bool) -> None:
    events = list(range(1, 10_001))
    play = Play(events, refuses(4711, named=named))
    play.until_idle()
    assert play.aside == [4711]
    assert play.stored == [p for p in events if p != 4711]
    assert len(play.sizes) <= 20 + (3 if named else 20)
    assert play.now < 1, "the neighbours did not wait"


def test_several_poisoned_events_in_a_row_block_nobody() -> None:
    poison = (1, 2, 3, 250, 251, 500)
    play = Play(list(range(1, 501)), refuses(*poison))
    play.until_idle()
    assert sorted(play.aside) == list(poison)
    assert len(play.stored) == 494


class RelayOfBefore:
    """A relay of a version that does not know ``weighed`` and refuses what it does not know."""

    def __init__(self, *poison: int, named: bool) -> None:
        self._poison = frozenset(poison)
        self._named = named
        self.taken: dict[int, dict[str, Any]] = {}

    def __call__(self, batch: Batch) -> EdgeError | None:
        events = {position: json.loads(text) for position, text in batch.events}
        bad = {at for at, event in events.items() if "weighed" in event["data"]}
        bad |= self._poison & events.keys()
        if bad:
            return BatchRefused("bad-batch", "weighed?", frozenset(bad if self._named else ()))
        self.taken |= events
        return None


class AsItIs(Uplink):
    """Broken on purpose: an event is offered as it is or not at all."""

    def refused(self, error: BatchRefused, now: float) -> None:
        super().refused(BatchRefused("other", error.message, error.positions), now)


@pytest.mark.parametrize("named", [False, True])
def test_an_older_relay_gets_events_without_their_weight_and_none_is_lost(named: bool) -> None:
    def text(position: int) -> str:
        more = {"weighed": {"reason": "ä"}} if position % 3 == 0 else {}
        return json.dumps({"data": {"package": '"weighed"'} | more}, ensure_ascii=False)

    def play(kind: type[Uplink]) -> tuple[Play, RelayOfBefore]:
        relay = RelayOfBefore(7, named=named)
        played = Play(list(range(1, 101)), relay, text=text, kind=kind)
        played.until_idle()
        return played, relay

    played, relay = play(Uplink)
    assert played.aside == [7], "what is wrong otherwise is still set aside"
    assert sorted(played.stored) == sorted(relay.taken) == [n for n in range(1, 101) if n != 7]
    assert all(event == {"data": {"package": '"weighed"'}} for event in relay.taken.values())
    assert len(play(AsItIs)[0].aside) == 34


class BlamesAtOnce(Uplink):
    """Broken on purpose: who is refused alone is guilty, whether or not others are taken."""

    def refused(self, error: BatchRefused, now: float) -> None:
        super().refused(error, now)
        self._settled.extend(self._suspects.values())
        self._suspects.clear()


def _refused_by_all(machine: type[Uplink]) -> Play:
    play = Play(
        list(range(1, 301)), lambda b: BatchRefused("bad-batch", "other version"), kind=machine
    )
    for _ in range(3000):
        action = play.machine.next(play.now)
        if isinstance(action, Wait):
            if action.seconds is None:
                break
            play.now += action.seconds
        else:
            play.do(action)
    return play


def test_a_relay_that_refuses_everything_sets_nothing_aside_and_a_hasty_judge_is_caught() -> None:
    assert len(_refused_by_all(BlamesAtOnce).aside) == 300
    play = _refused_by_all(Uplink)
    assert play.aside == []
    assert play.machine.suspects <= MAX_SUSPECTS
    assert play.now > 600, "it is tried again, and not without pause"
    assert play.machine.trouble is not None
    play.judge = lambda _: None
    play.until_idle()
    assert sorted(play.stored) == list(range(1, 301))
    assert play.aside == []


def test_a_lone_refused_event_waits_for_a_neighbour_to_prove_that_the_relay_takes_others() -> None:
    play = Play([1], refuses(1))
    for _ in range(20):
        action = play.machine.next(play.now)
        if isinstance(action, Wait):
            break
        play.do(action)
    assert play.machine.suspects == 1
    assert play.aside == []
    play.pending.append(2)
    play.machine.appended(play.now)
    play.until_idle()
    assert play.aside == [1]
    assert play.stored == [2]


def test_a_body_that_is_too_large_is_halved_and_the_next_ones_are_smaller_too() -> None:
    play = Play(
        list(range(1, 1001)),
        lambda b: BatchRefused("too-large", "at most 100") if len(b) > 100 else None,
    )
    play.until_idle()
    assert play.stored == list(range(1, 1001))
    assert sum(size > 100 for size in play.sizes) <= 12


def test_a_person_is_waited_for_slowly_and_without_hands() -> None:
    tries: list[float] = []
    play = Play([1])

    def judge(_: Batch) -> EdgeError | None:
        tries.append(play.now)
        return NeedsOperator("forbidden", "no", "ask") if len(tries) < 4 else None

    play.judge = judge
    play.until_idle()
    assert play.stored == [1]
    assert all(15 <= later - sooner <= 30 for sooner, later in pairwise(tries))


def test_an_older_copy_gets_a_new_generation_and_sends_everything_again() -> None:
    play = Play([99, 100], beat=reply(through=150))
    play.do(play.machine.next(0))
    action = play.machine.next(0)
    assert isinstance(action, Renew)
    assert "150" in action.reason
    play.beat = reply(through=0)
    play.until_idle()
    assert play.renewals == 1
    assert play.stored == [99, 100]


def test_a_reused_position_gets_a_new_generation_at_once_but_not_in_a_circle() -> None:
    play = Play([1], lambda _: GenerationReused("position 1 was another event"))
    for _ in range(60):
        action = play.machine.next(play.now)
        if isinstance(action, Wait):
            assert action.seconds is not None
            play.now += action.seconds
        else:
            play.do(action)
    assert play.renewals >= 2
    assert play.now / play.renewals > 10
    play.judge = lambda _: None
    play.until_idle()
    assert play.stored == [1]


def test_a_relay_that_knows_the_future_of_every_outbox_is_not_asked_in_a_circle() -> None:
    play = Play([1, 2], beat=reply(through=10**6))
    play.until_idle()
    assert play.renewals == 2
    assert play.stored == [1, 2]


def test_told_to_stop_it_sends_nothing_and_keeps_asking() -> None:
    play = Play([1, 2], beat=reply(stop="two hosts"))
    play.until_idle()
    assert play.stored == []
    assert play.machine.stopped == "two hosts"
    play.machine.appended(play.now)
    play.until_idle()
    assert play.sizes == []
    play.beat = reply()
    play.machine.beat_due()
    play.until_idle()
    assert play.stored == [1, 2]
    assert play.machine.stopped is None


def test_a_second_live_outbox_stops_it_until_a_heartbeat_says_otherwise() -> None:
    play = Play([1], lambda _: NeedsOperator("conflict", "two hosts", "stop one"))
    play.until_idle()
    assert play.machine.stopped is not None
    play.judge = lambda _: None
    play.machine.beat_due()
    play.until_idle()
    assert play.stored == [1]


def test_a_refused_heartbeat_keeps_no_event_waiting() -> None:
    play = Play([1])
    assert isinstance(play.machine.next(0), Beat)
    play.machine.failed(Rejected("bad-batch", "unknown field"), 0)
    play.until_idle()
    assert play.stored == [1]


def test_a_heartbeat_comes_between_two_batches_of_a_backlog() -> None:
    play = Play(list(range(1, 2001)))
    for _ in range(4):
        play.do(play.machine.next(0))
    play.machine.beat_due()
    assert isinstance(play.machine.next(0), Beat)


def test_a_live_event_waits_a_moment_for_company_and_no_longer() -> None:
    play = Play([], limits=Limits(linger_s=0.005))
    play.until_idle()
    play.machine.appended(10)
    action = play.machine.next(10)
    assert isinstance(action, Wait)
    assert action.seconds == pytest.approx(0.005)
    play.machine.appended(10.004)
    assert isinstance(play.machine.next(10.0051), Fetch), "a second one does not put it off"


def test_live_events_cost_at_most_twenty_requests_a_second_and_a_backlog_is_not_slowed() -> None:
    play = Play([])
    sent = []
    for number in range(1, 1001):
        play.pending.append(number)
        play.machine.appended(play.now)
        end = play.now + 0.001
        while True:
            action = play.machine.next(play.now)
            if not isinstance(action, Wait):
                if isinstance(action, Send):
                    sent.append(play.now)
                play.do(action)
            elif action.seconds is None or play.now + action.seconds > end:
                break
            else:
                play.now += action.seconds
        play.now = end
    assert 15 <= len(sent) <= 22, "in one second"
    play = Play(list(range(1, 5001)))
    play.until_idle()
    assert play.now < 0.1


def test_what_is_appended_while_events_are_fetched_is_fetched_too() -> None:
    play = Play([])
    play.do(play.machine.next(0))
    assert isinstance(play.machine.next(0), Fetch)
    play.machine.fetching(0)
    play.machine.appended(0)
    play.machine.fetched([])
    play.now = 1
    assert isinstance(play.machine.next(1), Fetch)


def test_an_outbox_that_had_nothing_to_give_while_it_repaired_itself_is_asked_again() -> None:
    play = Play([1, 2])
    play.do(play.machine.next(0))
    play.machine.fetching(0)
    play.machine.fetched([])
    assert play.machine.next(1) == Wait(None)
    play.machine.beat_due()
    play.until_idle()
    assert play.stored == [1, 2]
