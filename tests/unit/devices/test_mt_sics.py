from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.devices.mt_sics import Lines, StableWeights, decode


@pytest.mark.parametrize(
    ("line", "value", "unit", "stable"),
    [
        ("S S      12.34 kg", "12.34", "KGM", True),
        ("S D    -0.0050 g", "-0.0050", "GRM", False),
        ("S S          3 PCS", "3", "H87", True),
        ("S S   1500.50 lb", "1500.50", "LBR", True),
        ("S S    12.3[4] kg", "12.34", "KGM", True),
    ],
)
def test_a_weight_stays_as_it_was_weighed(line: str, value: str, unit: str, stable: bool) -> None:
    reading = decode(line + "\r\n")
    assert (reading.status, reading.value, reading.unece) == ("ok", value, unit)
    assert (reading.stable, reading.mode, reading.said) == (stable, "net", line)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("S I", "busy"),
        ("S +", "overload"),
        ("S -", "underload"),
        ("ES", "error"),
        ("ET", "error"),
        ("EL", "error"),
        ("Z A", "info"),
        ("Z I", "busy"),
        ("Z +", "error"),
        ("T S      12.50 g", "info"),
        ("T -", "error"),
        ('I4 A "1126493049"', "info"),
        ("S S Error 10b", "error"),
        ("S S      12.34 furlong", "error"),
        ("S S      12.34", "error"),
        ("S S      12,34 kg", "error"),
        ("S S      1.2.3 kg", "error"),
        ("S S", "error"),
        ("S X      12.34 kg", "error"),
        ("12.34 kg", "error"),
        ("", "error"),
        ("\ufffd\ufffd", "error"),
    ],
)
def test_whatever_else_it_says_is_never_a_weight(line: str, status: str) -> None:
    reading = decode(line)
    assert (reading.status, reading.value, reading.unece) == (status, None, None)
    assert not reading.stable


@given(st.text(max_size=30))
@settings(max_examples=50, deadline=None)
def test_no_line_raises(line: str) -> None:
    decode(line)
    decode("S S " + line)


@given(st.lists(st.integers(1, 7), max_size=20))
@settings(max_examples=50, deadline=None)
def test_lines_come_out_whole_however_the_bytes_arrive(sizes: list[int]) -> None:
    stream = b"S S      1.000 kg\r\nS I\r\n\r\nES\r\n"
    lines, out, start = Lines(), [], 0
    for size in [*sizes, len(stream)]:
        out += lines.feed(stream[start : start + size])
        start += size
    assert out == ["S S      1.000 kg", "S I", "ES"]


def test_a_line_that_never_ends_is_given_up() -> None:
    lines = Lines(longest=100)
    for _ in range(1000):
        assert lines.feed(b"x" * 60) == []
    assert lines.dropped > 50_000
    assert lines.feed(b"\nES\r\n")[-1] == "ES"


def test_only_a_stable_weight_that_changed_enough_is_news() -> None:
    weights = StableWeights(Decimal("0.010"))
    expected = {
        "S S  1.000 kg": True,
        "S D  2.000 kg": False,
        "S S  1.010 kg": False,
        "S S  1.011 kg": True,
        "S S  1.011 g": True,
        "S +": False,
    }
    assert {line: weights.is_news(decode(line)) for line in expected} == expected
    weights.forget()
    assert weights.is_news(decode("S S  1.011 g"))
