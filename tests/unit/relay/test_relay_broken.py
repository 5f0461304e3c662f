"""Deliberately broken relays, each caught by a test beside this file.

Each case breaks one thing in memory and then expects the named test to fail.
"""

from __future__ import annotations

import importlib.util
import zlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from cloud_relay.intake import body, endpoints, identity, limits, parsing
from cloud_relay.odoo import applier, applying, shortage
from cloud_relay.odoo.applying import Applying, Now
from edge_contract.batch import BatchReply
from edge_contract.errors import NeedsOperator

Patch = pytest.MonkeyPatch


@lru_cache
def sibling(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def forgets_unknown_outcomes(patch: Patch) -> None:
    def failed(self: Applying, sent: Any, error: Exception, now: Now, share: float) -> None:
        self._breaker.failed(now.tick, share)

    patch.setattr(Applying, "failed", failed)


def takes_a_lost_answer_for_a_good_one(patch: Patch) -> None:
    async def call(self: Any, odoo: Any, entries: Any) -> None:
        try:
            await original(self, odoo, entries)
        finally:
            if self._machine._unsure:
                verdicts = [applying.Verdict(entry.number, "applied") for entry in entries]
                await self._inbox.settle(verdicts, self._clock())
                self._machine._forget_unsure()

    original = applier.TargetApplier._call
    patch.setattr(applier.TargetApplier, "_call", call)


def sends_new_keys_on_a_retry(patch: Patch) -> None:
    numbers = iter(range(10**9))
    original = applier.odoo_batch

    def batch(entries: Any, binding: Any, watermark: Any) -> Any:
        made = original(entries, binding, watermark)
        events = [e.model_copy(update={"key": f"{e.key}-{next(numbers)}"}) for e in made.events]
        return made.model_copy(update={"events": events})

    patch.setattr(applier, "odoo_batch", batch)


def sends_newer_events_first(patch: Patch) -> None:
    async def call(self: Any, odoo: Any, entries: Any) -> None:
        await original(self, odoo, list(reversed(entries)))

    original = applier.TargetApplier._call
    patch.setattr(applier.TargetApplier, "_call", call)


def never_halves(patch: Patch) -> None:
    patch.setattr(Applying, "_after_probe", lambda self: [])


def blames_events_for_an_odoo_that_is_down(patch: Patch) -> None:
    patch.setattr(applying, "UNEXPLAINED_FAILURES", 0)


def holds_an_event_at_its_first_failure(patch: Patch) -> None:
    patch.setattr(applying, "LONE_FAILURES", 1)


def tries_with_events_while_the_circuit_is_open(patch: Patch) -> None:
    patch.setattr(applying.Breaker, "open", property(lambda self: False))


def shows_want_of_stock_at_once(patch: Patch) -> None:
    patch.setattr(applying, "MAY_YET_BE_CURED", frozenset())


def waits_for_stock_for_ever(patch: Patch) -> None:
    patch.setattr(shortage.Shortages, "limit_s", property(lambda self: 1e9, lambda self, _: None))


def ignores_what_is_on_the_way(patch: Patch) -> None:
    patch.setattr(shortage, "older_on_the_way", lambda entry, progress: False)


def goes_on_after_a_restore(patch: Patch) -> None:
    patch.setattr(applying, "FIRM_STOPS", frozenset())


def forgets_the_newest_claim(patch: Patch) -> None:
    original = applier.odoo_batch
    patch.setattr(applier, "odoo_batch", lambda entries, binding, _: original(entries, binding, {}))


def dies_of_a_fault(patch: Patch) -> None:
    async def die(self: Any, error: NeedsOperator) -> None:
        raise error

    patch.setattr(applier.TargetApplier, "_stop_for", die)


def believes_the_payload(patch: Patch) -> None:
    original = parsing.parse_batch

    def parse(given: bytes, site: str, most: int) -> Any:
        import json

        return original(given, json.loads(given)[-1]["source"].split("/")[2], most)

    patch.setattr(endpoints, "parse_batch", parse)


def confirms_before_it_stores(patch: Patch) -> None:
    async def batches(self: Any, request: Any) -> Any:
        _, generation = parsing.parse_agent("agent-1", request.headers["x-edge-generation"])
        return endpoints._json(
            BatchReply(generation=generation, stored_through=1, new=1, duplicates=0)
        )

    patch.setattr(endpoints.Intake, "batches", batches)


def takes_any_token(patch: Patch) -> None:
    patch.setattr(identity.hmac, "compare_digest", lambda one, other: True)


def inflates_without_bound(patch: Patch) -> None:
    patch.setattr(body, "gunzip", lambda given, most: zlib.decompress(given, 31))


def counts_no_shapes(patch: Patch) -> None:
    patch.setattr(parsing, "MOST_BRACKETS", 10**9)
    patch.setattr(parsing, "MOST_COMMAS", 10**9)


def limits_nobody(patch: Patch) -> None:
    patch.setattr(limits.TokenBucket, "wait", lambda self, now: 0.0)


def limits_all_sites_together(patch: Patch) -> None:
    original = endpoints.Intake.__init__

    def init(self: Any, *arguments: Any, **named: Any) -> None:
        original(self, *arguments, **named)
        one = self._allowance()
        self._allowances = dict.fromkeys(self._allowances, one)

    patch.setattr(endpoints.Intake, "__init__", init)


def shows_every_site_to_everybody(patch: Patch) -> None:
    patch.setattr(identity.Caller, "may_read", lambda self, site: True)


BROKEN: list[tuple[Callable[[Patch], None], str, str]] = [
    (
        forgets_unknown_outcomes,
        "test_applying",
        "after_an_unknown_outcome_the_same_events_go_first_and_in_order",
    ),
    (
        forgets_unknown_outcomes,
        "test_target_applier",
        "events_that_come_during_an_unknown_outcome_go_after_it",
    ),
    (
        takes_a_lost_answer_for_a_good_one,
        "test_target_applier",
        "a_lost_answer_has_one_effect[before]",
    ),
    (sends_new_keys_on_a_retry, "test_target_applier", "a_lost_answer_has_one_effect[after]"),
    (
        sends_newer_events_first,
        "test_target_applier",
        "events_are_applied_as_they_come_in_their_order",
    ),
    (never_halves, "test_applying", "a_batch_that_fails_again_though_odoo_is_alive_is_halved"),
    (
        blames_events_for_an_odoo_that_is_down,
        "test_applying",
        "an_odoo_that_is_down_makes_no_batch_smaller",
    ),
    (
        holds_an_event_at_its_first_failure,
        "test_applying",
        "one_event_alone_is_tried_several_times_before_it_is_held",
    ),
    (
        tries_with_events_while_the_circuit_is_open,
        "test_applying",
        "the_circuit_opens_and_then_only_an_empty_batch_tries",
    ),
    (shows_want_of_stock_at_once, "test_applying", "want_of_stock_is_not_shown_at_once"),
    (
        goes_on_after_a_restore,
        "test_applying",
        "a_restored_odoo_is_never_looked_at_again_without_a_person",
    ),
    (
        forgets_the_newest_claim,
        "test_target_applier",
        "a_restored_odoo_stops_the_target_until_somebody_says_what_to_replay",
    ),
    (
        forgets_the_newest_claim,
        "test_target_applier",
        "another_database_gets_nothing_until_somebody_says_it_is_right",
    ),
    (
        dies_of_a_fault,
        "test_target_applier",
        "a_fault_of_our_own_stops_the_target_visibly_and_loses_nothing",
    ),
    (believes_the_payload, "test_intake_requests", "a_site_cannot_speak_for_another"),
    (confirms_before_it_stores, "test_intake_requests", "a_rolled_back_outbox_is_told_so"),
    (
        inflates_without_bound,
        "test_intake_requests",
        "a_gzip_bomb_is_refused_while_it_is_small",
    ),
    (takes_any_token, "test_intake_requests", "a_site_sees_itself_and_the_monitor_sees_all"),
    (
        counts_no_shapes,
        "test_intake_requests",
        "a_body_that_makes_no_sense_is_refused_and_nothing_is_stored[empty lists without end]",
    ),
    (
        limits_nobody,
        "test_intake_requests",
        "a_flood_of_one_site_is_refused_and_never_felt_by_another",
    ),
    (
        limits_all_sites_together,
        "test_intake_requests",
        "a_flood_of_one_site_is_refused_and_never_felt_by_another",
    ),
    (
        shows_every_site_to_everybody,
        "test_intake_requests",
        "a_site_sees_itself_and_the_monitor_sees_all",
    ),
    (
        shows_every_site_to_everybody,
        "test_intake_requests",
        "the_ladder_of_an_event_is_for_its_site_and_the_monitor",
    ),
]


@pytest.mark.parametrize(
    ("breaks", "module", "name"), BROKEN, ids=[f"{b.__name__}-{n}" for b, _, n in BROKEN]
)
def test_a_broken_relay_is_caught(
    breaks: Callable[[Patch], None], module: str, name: str, relay: Any, monkeypatch: Patch
) -> None:
    tests = sibling(module)
    function, _, parameter = name.rstrip("]").partition("[")
    test = getattr(tests, f"test_{function}")
    given: list[Any] = [relay]
    if module == "test_applying":
        bench = tests.Bench(relay)
        bench.alive()
        given = [bench]
    if parameter:
        given.append(int(parameter) if parameter.lstrip("-").isdecimal() else parameter)
    test(*given)
    breaks(monkeypatch)
    if module == "test_target_applier":
        monkeypatch.setattr(tests, "PATIENCE_S", 0.3)
    with pytest.raises((AssertionError, TimeoutError, NeedsOperator, pytest.fail.Exception)):
        test(*given)


@pytest.mark.parametrize("breaks", [waits_for_stock_for_ever, ignores_what_is_on_the_way])
def test_a_broken_patience_is_caught(
    breaks: Callable[[Patch], None], relay: Any, monkeypatch: Patch
) -> None:
    breaks(monkeypatch)
    tests = sibling("test_applying")
    bench = tests.Bench(relay)
    bench.alive()
    with pytest.raises(AssertionError):
        tests.test_want_of_stock_waits_for_what_is_still_on_the_way_up_to_a_bound(
            bench, {"arrived_through": None}
        )
