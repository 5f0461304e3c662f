from dataclasses import replace
from decimal import Decimal

from edge_agent.devices.scales.reading import ScaleReading, StableWeights

KG = ScaleReading("ok", "", "1.000", "kg", "KGM", stable=True)


def test_only_a_stable_weight_that_changed_enough_is_news() -> None:
    weights = StableWeights(Decimal("0.010"))
    expected = [
        (KG, True),
        (replace(KG, value="2.000", stable=False), False),
        (replace(KG, value="1.010"), False),
        (replace(KG, value="1.011"), True),
        (replace(KG, value="1.011", unit="g", unece="GRM"), True),
        (ScaleReading("overload", ""), False),
    ]
    assert [weights.is_news(reading) for reading, _ in expected] == [new for _, new in expected]
    weights.forget()
    assert weights.is_news(replace(KG, value="1.011", unit="g", unece="GRM"))


def test_a_weight_without_a_unit_code_is_no_news() -> None:
    assert not StableWeights().is_news(replace(KG, unit=None, unece=None))


def test_a_scale_that_does_not_say_is_stable_once_it_repeats_itself() -> None:
    weights = StableWeights(settle=3)
    unsure = replace(KG, stable=None)
    other = replace(unsure, value="1.200")
    told = [unsure, unsure, other, unsure, unsure, unsure, unsure, other, other, other]
    assert [weights.is_news(reading) for reading in told] == [
        *(False,) * 5,
        True,
        *(False,) * 3,
        True,
    ]


def test_a_fault_between_equal_weights_starts_the_count_anew() -> None:
    weights = StableWeights(settle=2)
    unsure = replace(KG, stable=None)
    told = [unsure, ScaleReading("motion", ""), unsure, unsure]
    assert [weights.is_news(reading) for reading in told] == [False, False, False, True]
