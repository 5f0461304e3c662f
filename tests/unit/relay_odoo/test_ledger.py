"""The book that counts and moves stand on, without Odoo: any order of arrival ends alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud_relay.odoo.source import read_file

Place = tuple[int, int, int, int, int]
PLACES: list[Place] = [(1, location, 0, package, 0) for location in (1, 2, 3) for package in (0, 9)]
PALLET = 9


def ledger(*mistakes: tuple[str, str]) -> dict[str, Any]:
    text = read_file("ledger")
    for right, wrong in mistakes:
        assert text.count(right) == 1, right
        text = text.replace(right, wrong)
    names: dict[str, Any] = {}
    exec(text, names)
    return names


def empty_book() -> dict[str, Any]:
    return {
        "now": {place: 10.0 if place[3] == 0 or place[1] == 1 else 0.0 for place in PLACES},
        "steps": {place: [] for place in PLACES},
        "anchors": {place: [] for place in PLACES},
        "carried": {place: [] for place in PLACES},
    }


#: (minute, kind, place, other location, quantity): kinds are count, move.
Happening = tuple[int, str, int, int, int]
happenings = st.lists(
    st.tuples(
        st.integers(0, 30),
        st.sampled_from(["count", "move", "move"]),
        st.sampled_from([0, 2, 4]),
        st.sampled_from([0, 2, 4]),
        st.integers(0, 9),
    ),
    max_size=12,
    unique_by=lambda happening: happening[0],
)


def in_order(events: list[Happening]) -> dict[Place, float]:
    now: dict[Place, float] = empty_book()["now"]
    for _, kind, place, other, quantity in sorted(events):
        if kind == "count":
            now[PLACES[place]] = quantity
        else:
            now[PLACES[place]] -= quantity
            now[PLACES[other]] += quantity
    return now


def as_they_arrive(names: dict[str, Any], events: list[Happening]) -> dict[str, Any]:
    book = empty_book()
    for number, (minute, kind, place, other, quantity) in enumerate(events):
        order = (minute, "hand", number)
        if kind == "count":
            here = PLACES[place]
            names["change"](book, here, order, quantity - names["figure"](book, here, order))
            book["anchors"][here].append(order)
        else:
            names["change"](book, PLACES[place], order, -quantity)
            names["change"](book, PLACES[other], order, quantity)
    return book


def alike(names: dict[str, Any], events: list[Happening], shuffled: list[Happening]) -> None:
    book = as_they_arrive(names, shuffled)
    assert book["now"] == in_order(events)
    for minute, kind, place, _, quantity in events:
        if kind == "count":
            assert names["figure"](book, PLACES[place], (minute, "hand", 99)) == quantity


@settings(max_examples=120, deadline=None)
@given(events=happenings, data=st.data())
def test_counts_and_moves_end_alike_in_any_order(events: list[Happening], data: Any) -> None:
    alike(ledger(), events, data.draw(st.permutations(events)))


@pytest.mark.parametrize(
    "mistake",
    [
        ("if anchor > order and", "if False and"),
        ("(found is None or anchor < found[0])", "(found is None or anchor > found[0])"),
        ("        if at > order:\n            quantity -= delta", "        quantity -= 0"),
    ],
)
def test_a_mistake_shows(mistake: tuple[str, str]) -> None:
    counts: list[Happening] = [(10, "count", 0, 0, 4), (20, "count", 0, 0, 7)]
    moves: list[Happening] = [(5, "move", 0, 2, 1), (15, "move", 0, 2, 2), (25, "move", 0, 2, 3)]
    events = counts + moves
    alike(ledger(), events, [*moves[2:], *counts, *moves[:2]])
    with pytest.raises(AssertionError):
        alike(ledger(mistake), events, [*moves[2:], *counts, *moves[:2]])


def test_what_is_late_on_a_pallet_goes_along_with_it_up_to_a_count() -> None:
    names, book = ledger(), empty_book()
    change: Callable[..., list[Any]] = names["change"]
    first, second, third = (1, 1, 0, PALLET, 0), (1, 2, 0, PALLET, 0), (1, 3, 0, PALLET, 0)
    for minute, source, to in ((10, first, second), (20, second, third)):
        change(book, source, (minute, "hand", minute), -10)
        change(book, to, (minute, "hand", minute), 10)
        book["carried"][source].append(((minute, "hand", minute), to))
    assert [follow[:3] for follow in change(book, first, (5, "hand", 30), -2)] == [
        ((10, "hand", 10), first, second),
        ((20, "hand", 20), second, third),
    ]
    assert [book["now"][place] for place in (first, second, third)] == [0, 0, 8]
    book["anchors"][second].append((15, "hand", 31))
    follows = change(book, first, (6, "hand", 32), -1)
    assert follows[-1] == ((15, "hand", 31), second, None, -1)
    assert book["now"][third] == 8


def test_the_least_is_sought_until_the_next_count() -> None:
    names, book, place = ledger(), empty_book(), PLACES[0]
    names["change"](book, place, (20, "hand", 1), -8)
    assert names["lowest"](book, place, (10, "hand", 9)) == (2, (20, "hand", 1))
    book["anchors"][place].append((15, "hand", 2))
    assert names["lowest"](book, place, (10, "hand", 9)) == (10, (10, "hand", 9))
