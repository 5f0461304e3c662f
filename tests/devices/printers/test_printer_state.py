"""One state of polls and alerts, and which of its changes are told."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.devices.printers.state import PrinterPicture, Seen, StateChanges, seen
from edge_agent.devices.printers.zebra_alert import alert

OK = seen(())


def told(changes: StateChanges, looks: list[tuple[float, Seen]]) -> list[tuple[float, str]]:
    return [(at, one.state) for at, one in looks if changes.look(one, at)]


def test_the_worst_condition_is_the_state() -> None:
    assert seen(()).state == "ok"
    assert seen((), busy=True).state == "busy"
    assert seen(("clean_printhead",)).state == "ok"
    assert seen(("paused",), busy=True).state == "paused"
    assert seen(("paused", "head_open")).state == "attention"
    assert seen(("head_open", "something_new")).state == "error", "an unknown fault is a fault"
    assert seen(("no_answer",)).state == "error"
    assert seen(("unreachable", "no_answer")).state == "offline"


@given(st.permutations(["head_open", "paused", "cutter_fault", "media_out"]))
def test_the_order_in_which_a_printer_names_them_is_no_change(names: list[str]) -> None:
    assert seen(names) == seen(sorted(names))


def test_a_change_after_a_rest_is_told_at_once() -> None:
    paused = seen(("paused",))
    looks = [(0.0, OK), (10.0, paused), (11.0, paused), (30.0, OK), (31.0, OK)]
    assert told(StateChanges(3), looks) == [(0.0, "ok"), (10.0, "paused"), (30.0, "ok")]


def test_a_flutter_is_told_once_and_its_end_is_told() -> None:
    paused = seen(("paused",))
    looks = [(0.0, OK), *((10.0 + n, (paused, OK)[n % 2]) for n in range(40))]
    last = [(50.0 + n, OK) for n in range(10)]
    assert told(StateChanges(3), looks + last) == [(0.0, "ok"), (10.0, "paused"), (52.0, "ok")]


def test_work_is_no_event_and_neither_is_a_label_that_waits() -> None:
    looks = [(float(n), seen(("label_waiting",) * (n % 2), busy=n % 3 == 0)) for n in range(30)]
    assert len(told(StateChanges(0), looks)) == 1


@given(st.lists(st.tuples(st.floats(0.1, 5), st.sampled_from(["ok", "paused", "head_open"]))))
def test_what_lasts_is_told_and_told_once(steps: list[tuple[float, str]]) -> None:
    changes, at, found = StateChanges(3), 0.0, []
    for step, name in [*steps, (0.1, "ok"), (3.0, "ok"), (3.0, "ok")]:
        at += step
        one = seen(() if name == "ok" else (name,))
        if changes.look(one, at):
            found.append(one.conditions)
    assert found[-1] == ()
    assert all(a != b for a, b in pairwise(found))


def test_an_alert_explains_silence_until_it_is_cleared() -> None:
    picture = PrinterPicture()
    picture.polled(OK)
    assert picture.alerted(alert(b"ERROR CONDITION: HEAD OPEN")).conditions == ("head_open",)
    assert picture.polled(seen(("no_answer",))).conditions == ("head_open",)
    assert picture.alerted(alert(b"ERROR CLEARED: HEAD OPEN")).conditions == ("no_answer",)
    assert picture.polled(OK).conditions == ()


def test_an_answer_knows_better_than_an_alert_whose_end_was_missed() -> None:
    picture = PrinterPicture()
    picture.polled(OK)
    picture.alerted(alert(b"ERROR CONDITION: PAPER OUT"))
    assert picture.polled(OK) == OK
    picture.alerted(alert(b"ERROR CONDITION: CUTTER JAM"))
    picture.alerted(alert(b"ALERT: RIBBON LOW"))
    assert picture.polled(OK).conditions == ("cutter_fault", "ribbon_low")
    assert picture.polled(OK, thorough=True).conditions == ("ribbon_low",)
    assert picture.alerted(alert(b"ALERT: POWER ON")).conditions == ()


def test_a_printer_that_cannot_be_reached_is_offline_whatever_it_pushed() -> None:
    picture = PrinterPicture()
    picture.alerted(alert(b"ERROR CONDITION: PAPER OUT"))
    assert picture.polled(seen(("unreachable",))).state == "offline"


def test_a_variant_that_tells_every_look_is_caught() -> None:
    class Eager(StateChanges):
        def look(self, one: Seen, at: float) -> bool:
            super().look(one, at)
            return True

    paused = seen(("paused",))
    looks = [(0.0, OK), (10.0, paused), (11.0, OK), (12.0, paused)]
    assert len(told(Eager(3), looks)) > len(told(StateChanges(3), looks)) == 2
