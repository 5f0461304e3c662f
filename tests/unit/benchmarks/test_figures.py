"""Figures of benchmarks: ratios, percentiles, verdicts, and the page they are written into."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks.figures import (
    BEGIN,
    END,
    Aim,
    Figure,
    cells,
    filled,
    from_json,
    markdown,
    missed,
    number,
    paired,
    percentile,
    to_json,
)


def test_the_ratio_is_that_of_the_middle_repetition_and_not_of_the_medians() -> None:
    figure = paired("intake", "messages/s", [90, 40, 30], [100, 50, 10], "bare")
    assert (figure.ours, figure.baseline) == (40, 50)
    assert (figure.ratio, figure.lowest, figure.highest) == (0.9, 0.8, 3.0)


def test_sides_of_unequal_repetitions_are_not_compared() -> None:
    with pytest.raises(ValueError, match="shorter"):
        paired("intake", "messages/s", [90, 40], [100], "bare")


@pytest.mark.parametrize(
    ("aim", "verdict"),
    [
        (Aim("ratio", "≥", 5), "met"),
        (Aim("ratio", "≥", 5.1), "missed"),
        (Aim("ratio", "≤", 4.9), "missed"),
        (Aim("ours", "≤", 50), "met"),
        (Aim("ours", "≤", 49), "missed"),
        (None, ""),
    ],
)
def test_an_aim_is_met_at_its_bound_and_missed_beyond_it(aim: Aim | None, verdict: str) -> None:
    figure = Figure("counts", "events/s", 50, 10, "direct", 5, aim=aim)
    assert figure.verdict == verdict
    assert missed([figure]) == (["counts"] if verdict == "missed" else [])


def test_an_aim_for_a_ratio_that_was_not_taken_is_missed() -> None:
    assert Figure("counts", "events/s", 50, aim=Aim("ratio", "≥", 5)).verdict == "missed"


def test_percentiles_are_values_that_occurred() -> None:
    values = [float(value) for value in range(1, 101)]
    assert percentile(values, 0.5) == 50
    assert percentile(values, 0.99) == 99
    assert percentile([3.0], 0.99) == 3
    assert percentile([2.0, 1.0], 1.0) == 2
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 0.5)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (0, "0"),
        (0.01234, "0.0123"),
        (0.896, "0.896"),
        (5.126, "5.13"),
        (99.95, "100.0"),
        (123.4, "123"),
        (7654.3, "7,654"),
    ],
)
def test_numbers_have_three_digits_that_mean_something(value: float | None, text: str) -> None:
    assert number(value) == text


def run_of(*figures: Figure) -> dict[str, Any]:
    return {
        "date": "2026-11-24",
        "quick": False,
        "machine": {"cores": 2, "python": "3.11", "sqlite": "3.40", "filesystem": "ext4"},
        "benchmarks": [
            {"name": "intake", "load_before": 0.4, "figures": [to_json(one) for one in figures]}
        ],
    }


def test_a_run_survives_json_and_becomes_a_table() -> None:
    figure = paired("intake", "messages/s", [9, 8], [10, 10], "bare", Aim("ratio", "≥", 0.9))
    run = json.loads(json.dumps(run_of(figure, Figure("memory", "MB", 70.5))))
    assert from_json(run["benchmarks"][0]["figures"][0]) == figure
    text = markdown(run)
    assert "full sizes: 2 cores" in text
    assert "load average before a benchmark at most 0.4" in text
    assert (
        "| intake | 8.50 messages/s | 10.0 bare | 0.850 (0.800 to 0.900) | ≥ 0.9× | missed |"
    ) in text
    assert "| memory | 70.5 MB |  |  |  |  |" in text


def test_the_table_replaces_what_stands_between_the_marks_and_nothing_else() -> None:
    page = f"# Title\n{BEGIN}\nold\n{END}\nafter\n"
    once = filled(page, "new\n")
    assert once == f"# Title\n{BEGIN}\nnew\n{END}\nafter\n"
    assert filled(once, "new\n") == once
    assert filled("", "new\n") == "new\n"


def test_a_bound_of_memory_is_shown_in_its_unit() -> None:
    row = cells(Figure("memory", "MB", 70.5, aim=Aim("ours", "≤", 120)))
    assert row[4:] == ["≤ 120 MB", "met"]
