"""A label that a scanner reads is printed: proof 4, once, in the commit of the scan."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from edge_agent.devices.holding import reading_of
from edge_agent.devices.printers.read_back import Item, ReadBack
from edge_agent.outbox.port import Appended, IntakeRefused, Reading

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
LABEL = {"document": "WH/OUT/00007", "package": "PACK0000012", "printer": "zebra-1", "copies": 1}


class Store:
    """Keeps what is appended; refuses when it is told to."""

    def __init__(self) -> None:
        self.bursts: list[list[Item]] = []
        self.refuses = False

    def append(self, burst: Sequence[Item]) -> list[Appended]:
        if self.refuses:
            raise IntakeRefused("There is no room.", "Make some.")
        self.bursts.append(list(burst))
        return [Appended("new", one.event.id, 1) for one in burst if isinstance(one, Reading)]

    def printed(self) -> list[tuple[str, int, UUID | None]]:
        return [
            (one.device, one.event.data["proof"], one.event.id)
            for burst in self.bursts
            for one in burst
            if isinstance(one, Reading) and one.event.kind == "label.printed"
        ]


def printed(minutes: float = 0, **data: Any) -> Reading:
    at = NOON + timedelta(minutes=minutes)
    return reading_of("zebra-1", "label.printed", at, {**LABEL, "proof": 2, **data})


def scan(barcode: str, minutes: float = 1, **data: Any) -> Reading:
    at = NOON + timedelta(minutes=minutes)
    return reading_of("scan-1", "scan.read", at, {"barcode": barcode, **data})


@pytest.fixture
def store() -> Store:
    return Store()


def test_a_scan_of_its_package_proves_a_label_in_the_same_commit(store: Store) -> None:
    append = ReadBack(["zebra-1"]).storing(store.append)
    job = printed()
    append([job])
    answers = append([scan("]C0PACK0000012")])

    assert [proof for _, proof, _ in store.printed()] == [2, 4]
    assert len(store.bursts[1]) == 2
    assert len(answers) == 1, "the link hears of what it gave"
    proof = store.bursts[1][1]
    assert isinstance(proof, Reading)
    assert proof.event.data == {**LABEL, "proof": 4}
    assert proof.event.id != job.event.id


@pytest.mark.parametrize("barcode", ["00340123450000000018", "]C100340123450000000018"])
def test_an_sscc_is_known_however_it_is_written(store: Store, barcode: str) -> None:
    append = ReadBack(["zebra-1"]).storing(store.append)
    append([printed(package="340123450000000018")])
    append([scan(barcode, gs1={"sscc": "340123450000000018"})])
    assert [proof for _, proof, _ in store.printed()] == [2, 4]


def test_it_is_proved_once(store: Store) -> None:
    append = ReadBack(["zebra-1"]).storing(store.append)
    append([printed()])
    append([scan("PACK0000012"), scan("PACK0000012")])
    append([scan("PACK0000012")])
    assert [proof for _, proof, _ in store.printed()] == [2, 4]


def test_the_same_job_is_proved_with_the_same_id(store: Store) -> None:
    job, ids = printed(), set()
    for _ in range(2):  # two lives of an agent that stored the job once
        append = ReadBack(["zebra-1"]).storing(store.append)
        append([job])
        append([scan("PACK0000012")])
        ids.add(store.printed()[-1][2])
    assert len(ids) == 1


@pytest.mark.parametrize(
    "later",
    [scan("PACK0000013"), scan("PACK0000012", minutes=31), scan("PACK0000012", minutes=-1)],
)
def test_another_label_or_another_time_proves_nothing(store: Store, later: Reading) -> None:
    append = ReadBack(["zebra-1"]).storing(store.append)
    append([printed()])
    append([later])
    assert [proof for _, proof, _ in store.printed()] == [2]


def test_what_others_print_they_prove_themselves(store: Store) -> None:
    append = ReadBack(["zebra-2"]).storing(store.append)
    append([printed()])
    append([scan("PACK0000012")])
    assert [proof for _, proof, _ in store.printed()] == [2]


def test_a_scan_that_was_refused_proves_when_it_comes_again(store: Store) -> None:
    append = ReadBack(["zebra-1"]).storing(store.append)
    append([printed()])
    store.refuses = True
    with pytest.raises(IntakeRefused):
        append([scan("PACK0000012")])
    store.refuses = False
    append([scan("PACK0000012")])
    assert [proof for _, proof, _ in store.printed()] == [2, 4]


def test_a_variant_that_forgets_at_the_first_try_is_caught(store: Store) -> None:
    class Forgetful(ReadBack):
        def _proofs(self, burst: Sequence[Item]) -> dict[str, Reading]:
            found = super()._proofs(burst)
            self._remember([], done=found)
            return found

    append = Forgetful(["zebra-1"]).storing(store.append)
    append([printed()])
    store.refuses = True
    with pytest.raises(IntakeRefused):
        append([scan("PACK0000012")])
    store.refuses = False
    append([scan("PACK0000012")])
    assert [proof for _, proof, _ in store.printed()] == [2], "it would have been 2 and 4"


def test_labels_that_wait_are_bounded(store: Store) -> None:
    append = ReadBack(["zebra-1"]).storing(store.append)
    for number in range(1100):
        append([printed(package=f"P{number}")])
    append([scan("P0"), scan("P1099")])
    assert [proof for _, proof, _ in store.printed()][-1] == 4
    assert sum(proof == 4 for _, proof, _ in store.printed()) == 1


def test_without_a_printer_nothing_is_looked_at(store: Store) -> None:
    assert ReadBack([]).storing(store.append) == store.append
