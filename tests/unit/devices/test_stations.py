"""Which weight belongs to which package: told as what happens at one bench, in seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from edge_agent.devices.stations.stations import Station, Verdict
from edge_agent.devices.stations.weighings import Weight

START = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
A, B = "PACK1", "PACK2"


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@dataclass
class Bench:
    """A bench whose scale was seen empty; every call names its second."""

    station: Station = field(default_factory=lambda: Station("bench-1", timedelta(seconds=10)))

    def __post_init__(self) -> None:
        self.weigh("0.000", -100)

    def weigh(self, weight: str, second: float, uom: str = "KGM") -> None:
        self.station.weigh(Weight(weight, uom, "scale-1", at(second)))

    def scan(self, package: str, second: float) -> str:
        return said(self.station.scan(package, at(second)))

    def pack(self, package: str, second: float) -> str:
        return said(self.station.pack(package, at(second)))


def said(verdict: Verdict) -> str:
    """The weight, or the beginning of the reason."""
    assert not (verdict.weight and verdict.reason)
    return verdict.weight.weight if verdict.weight else verdict.reason


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_weighed_then_scanned_then_packed(bench: Bench) -> None:
    bench.weigh("2.500", 0)
    assert bench.scan(A, 3) == "2.500"
    bench.weigh("0.000", 5)
    assert bench.pack(A, 60) == "2.500"


def test_scanned_then_weighed_then_packed(bench: Bench) -> None:
    assert bench.scan(A, 0) == ""
    bench.weigh("2.500", 3)
    assert bench.pack(A, 60) == "2.500"


def test_taken_off_and_then_scanned(bench: Bench) -> None:
    bench.weigh("2.500", 0)
    bench.weigh("0.000", 4)
    assert bench.scan(A, 5) == "2.500"


def test_a_package_that_was_never_scanned_is_packed_with_what_lies_there(bench: Bench) -> None:
    bench.weigh("2.500", 0)
    assert bench.pack(A, 4) == "2.500"


def test_what_was_taken_off_is_not_given_to_a_package_that_was_never_scanned(bench: Bench) -> None:
    bench.weigh("2.500", 0)
    bench.weigh("0.000", 3)
    assert bench.pack(A, 4).startswith("Nothing lay on the scale")


def test_a_shift_of_packages_gets_each_its_own(bench: Bench) -> None:
    for number in range(50):
        start, name, weight = number * 12.0, f"PACK{number}", f"{1 + number / 10:.3f}"
        if number % 2:
            bench.weigh(weight, start + 2)
            assert bench.scan(name, start + 4) == weight
        else:
            assert bench.scan(name, start + 2) == ""
            bench.weigh(weight, start + 4)
        bench.weigh("0.000", start + 8)
        assert bench.pack(name, start + 9) == weight


def test_equal_weights_with_an_empty_scale_in_between_are_two_weighings(bench: Bench) -> None:
    bench.weigh("2.500", 0)
    assert bench.scan(A, 1) == "2.500"
    bench.weigh("0.000", 2)
    bench.weigh("2.500", 4)
    assert bench.scan(B, 5) == "2.500"


def test_beyond_the_window_nothing_is_paired(bench: Bench) -> None:
    bench.weigh("2.500", 0)
    assert bench.scan(A, 10.1) == ""
    bench.weigh("0.000", 20)
    assert bench.scan(B, 30) == ""
    bench.weigh("1.500", 40.1)
    assert "Nothing lay" in bench.pack(B, 39)


def test_what_lies_there_for_longer_than_the_window_is_not_given_and_the_setting_is_named(
    bench: Bench,
) -> None:
    bench.weigh("2.500", 0)
    reason = bench.pack(A, 25)
    assert "for 25 s" in reason
    assert "window_s of [stations.bench-1]" in reason


def test_a_second_package_gets_nothing_without_a_new_weighing_and_hears_why(bench: Bench) -> None:
    bench.weigh("2.500", 0)
    assert bench.pack(A, 1) == "2.500"
    reason = bench.pack(B, 3)
    assert "is the weight of PACK1" in reason
    assert reason.endswith("Empty the scale, weigh the package and scan it.")


def test_two_packages_scanned_while_one_weight_lies_there_get_nothing_from_then_on(
    bench: Bench,
) -> None:
    bench.weigh("2.500", 0)
    assert bench.scan(A, 1) == "2.500"
    for reason in (bench.scan(B, 2), bench.pack(A, 3), bench.pack(B, 3), bench.scan(A, 4)):
        assert "2.500 KGM may be the weight of PACK1 or PACK2" in reason
    bench.weigh("0.000", 6)
    bench.weigh("2.500", 8)
    assert bench.scan(B, 9) == "2.500", "weighed anew, it is clear again"


def test_two_packages_scanned_before_one_weight_get_nothing(bench: Bench) -> None:
    bench.scan(A, 0)
    bench.scan(B, 1)
    bench.weigh("2.500", 3)
    assert "2.500 KGM may be the weight of PACK1 or PACK2" in bench.pack(A, 4)
    assert "PACK1 or PACK2" in bench.pack(B, 4)
    assert "PACK1 or PACK2" in bench.scan("PACK3", 5)


def test_of_two_packages_scanned_before_the_one_scanned_again_on_the_scale_gets_it(
    bench: Bench,
) -> None:
    bench.scan(A, 0)
    bench.scan(B, 1)
    bench.weigh("2.500", 3)
    assert bench.scan(B, 4) == "2.500"
    assert "PACK1 or PACK2" in bench.scan(A, 5)


def test_the_next_one_is_scanned_while_the_former_still_lies_there(bench: Bench) -> None:
    bench.weigh("2.500", 0)
    bench.scan(A, 1)
    bench.scan(B, 4)
    bench.weigh("1.500", 6)
    assert bench.pack(B, 8) == "1.500"
    assert "PACK1 or PACK2" in bench.pack(A, 8), "which of them lay there nobody knows"


def test_the_weight_nearer_in_time_counts(bench: Bench) -> None:
    bench.weigh("2.500", 0)
    bench.weigh("0.000", 1)
    assert bench.scan(A, 5) == "2.500", "the only one so far"
    bench.weigh("1.500", 6)
    assert bench.pack(A, 7) == "1.500"
    assert bench.scan(B, 8) != "2.500", "it was given away"


def test_what_is_weighed_after_a_package_was_packed_is_anothers(bench: Bench) -> None:
    bench.weigh("2.500", 0)
    bench.weigh("0.000", 4)
    bench.scan(A, 8)
    assert bench.pack(A, 9) == "2.500"
    bench.weigh("1.500", 10)
    assert bench.scan(B, 11) == "1.500"


def test_a_package_that_is_weighed_again_has_its_new_weight(bench: Bench) -> None:
    bench.weigh("2.500", 0)
    bench.scan(A, 1)
    bench.weigh("0.000", 3)
    bench.weigh("2.900", 20)
    assert bench.scan(A, 21) == "2.900"
    assert bench.pack(A, 25) == "2.900"


def test_a_box_that_is_filled_after_its_scan_is_scanned_again_first(bench: Bench) -> None:
    bench.scan(A, 0)
    bench.weigh("0.500", 1)
    bench.weigh("1.200", 4)
    bench.weigh("2.400", 8)
    assert "changed from 0.500 KGM to 2.400 KGM" in bench.pack(A, 9)
    assert bench.scan(A, 10) == "2.400"
    assert bench.pack(A, 11) == "2.400"


def test_packages_that_change_places_on_the_scale_keep_their_own(bench: Bench) -> None:
    bench.weigh("2.500", 0)
    bench.scan(A, 1)
    bench.weigh("1.700", 4)
    assert bench.scan(B, 5) == "1.700"
    assert bench.pack(A, 6) == "2.500"


def test_a_weight_that_settles_is_one_weighing(bench: Bench) -> None:
    bench.weigh("2.498", 0)
    assert bench.scan(A, 1) == "2.498"
    bench.weigh("2.500", 2)
    assert bench.pack(A, 3) == "2.500"
    assert "is the weight of PACK1" in bench.pack(B, 4)


def test_the_same_weight_told_again_after_a_replug_is_no_new_weighing(bench: Bench) -> None:
    bench.weigh("2.500", 0)
    bench.pack(A, 1)
    bench.weigh("2.500", 5)
    assert "is the weight of PACK1" in bench.pack(B, 6)


def test_what_lay_there_when_the_agent_started_is_given_to_nobody() -> None:
    bench = Bench(Station("bench-1", timedelta(seconds=10)))
    bench.station = Station("bench-1", timedelta(seconds=10))
    bench.weigh("2.500", 0)
    assert "when the agent began to listen" in bench.pack(A, 1)
    bench.weigh("0.000", 3)
    bench.weigh("2.500", 5)
    assert bench.pack(A, 6) == "2.500"


def test_a_clock_that_is_set_back_forgets_what_was_noted(bench: Bench) -> None:
    bench.weigh("2.500", 0)
    bench.weigh("1.500", -3600)
    assert "when the agent began to listen" in bench.pack(A, -3599)
    assert bench.scan(B, 1) == ""


@pytest.mark.parametrize("shown", ["-0.002", "0.000", "0.005", "0.040"])
def test_a_scale_that_does_not_return_to_zero_is_empty_up_to_what_is_set(shown: str) -> None:
    bench = Bench(Station("bench-1", timedelta(seconds=10), empty_up_to=Decimal("0.040")))
    bench.weigh("2.500", 0)
    bench.weigh(shown, 3)
    assert bench.scan(A, 4) == "2.500"
    assert "Nothing lay" in bench.pack(B, 5)


def test_a_pairing_is_not_kept_for_days(bench: Bench) -> None:
    bench.weigh("2.500", 0)
    bench.scan(A, 1)
    bench.weigh("0.000", 3)
    assert bench.pack(A, 3599) == "2.500"
    assert "Nothing lay" in bench.pack(A, 3601)


def test_another_unit_is_another_weighing(bench: Bench) -> None:
    bench.weigh("2.500", 0)
    bench.scan(A, 1)
    bench.weigh("2.500", 2, uom="LBR")
    assert bench.scan(B, 3) == "2.500"


def test_what_is_lifted_lies_there_no_longer_and_what_comes_to_rest_again_does(
    bench: Bench,
) -> None:
    bench.weigh("2.500", 0)
    bench.station.unsteady(at(2))
    assert "Nothing lay" in bench.pack(A, 3)
    bench.station.steady("2.500", "KGM")
    assert bench.pack(B, 4) == "2.500"


def test_what_is_lifted_and_scanned_in_the_hand_has_its_weight(bench: Bench) -> None:
    bench.weigh("2.500", 0)
    bench.station.unsteady(at(2))
    assert bench.scan(A, 3) == "2.500"
    bench.weigh("0.000", 4)
    assert bench.pack(A, 5) == "2.500"


def test_another_steady_weight_brings_nothing_back(bench: Bench) -> None:
    bench.weigh("2.500", 0)
    bench.station.unsteady(at(2))
    bench.station.steady("1.700", "KGM")
    bench.station.steady("2.500", "LBR")
    assert "Nothing lay" in bench.pack(A, 3)


def test_after_an_overload_the_weight_before_it_is_nobodys(bench: Bench) -> None:
    bench.weigh("2.500", 0)
    bench.station.unsteady(at(2), overload=True)
    assert bench.scan(A, 3) == ""
    assert bench.pack(A, 4) != "2.500"
    bench.weigh("0.000", 15)
    bench.station.unsteady(at(16), overload=True)
    bench.weigh("1.500", 18)
    assert bench.scan(B, 19) == "1.500"


def test_an_overload_takes_nothing_from_a_package_that_was_scanned(bench: Bench) -> None:
    bench.weigh("2.500", 0)
    bench.scan(A, 1)
    bench.station.unsteady(at(2), overload=True)
    assert bench.pack(A, 4) == "2.500"
