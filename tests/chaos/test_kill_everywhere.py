"""kill -9 of agent and relay at every named place and a sample of all awaits: nothing is lost or
doubled. ``python -m edge_sandbox.chaos --all`` walks over every callback."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_sandbox.chaos import points
from edge_sandbox.chaos.campaign import Campaign, Point, Run
from edge_sandbox.chaos.report import Report, line_of
from edge_sandbox.chaos.site import Process
from edge_sandbox.chaos.stage import counted, in_odoo

ROOT = Path(__file__).parents[2]
BROKEN = str(Path(__file__).with_name("broken.py"))
#: Points of a process beside the named ones: kept few, because each costs a start.
SAMPLE = 8
AROUND_THE_CALL = (
    "inbox.after_commit",
    "relay.odoo_answered",
    "inbox.settle_before_commit",
)


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campaign]:
    with counted(tmp_path_factory.mktemp("chaos")) as made:
        yield made


def judged(campaign: Campaign, walk: list[Point]) -> Report:
    """Walk, and fail with a line for each run that is not as it should be."""
    report = Report([campaign.run(point) for point in walk], campaign.miscounted())
    for run in report.runs:
        print(line_of(run))
    assert not [line_of(run) for run in report.failed]
    assert report.miscounted == ""
    return report


@pytest.mark.parametrize("process", ["agent", "relay"])
def test_killed_at_each_named_place_nothing_is_lost_or_doubled(
    campaign: Campaign, process: Process
) -> None:
    report = judged(campaign, points.named(process, [1]))
    assert [str(run.point) for run in report.runs if not run.died] == []
    assert {run.confirmed for run in report.runs} == {12}


@pytest.mark.parametrize("process", ["agent", "relay"])
def test_killed_at_awaits_of_the_path_and_of_the_recovery_nothing_is_lost_or_doubled(
    campaign: Campaign, process: Process, tmp_path: Path
) -> None:
    path = campaign.calibrate(process, tmp_path / "path")
    start = campaign.calibrate(process, tmp_path / "start", starting=True)
    walk = [point for point in points.every(process, path, start) if not points.is_named(point)]
    assert len(walk) > 150
    report = judged(campaign, points.sample(walk, SAMPLE))
    assert sum(run.died for run in report.runs) >= SAMPLE - 2


def test_every_named_place_of_the_programs_is_in_the_campaign() -> None:
    for process, package in (("agent", "edge_agent"), ("relay", "cloud_relay")):
        text = "".join(file.read_text() for file in sorted((ROOT / package).rglob("*.py")))
        named = set(re.findall(r'killpoint\.reached\("([a-z_.]+)"\)', text))
        handed_on = set(re.findall(r'"(inbox\.[a-z_]+_commit)"', text))
        known = set(points.NAMED[process])  # type: ignore[index]  # a literal
        on_the_path = {name for name in named if not name.startswith(points.OFF_THE_PATH)}
        assert on_the_path | handed_on == known


@pytest.fixture(scope="module")
def odoo_campaign(odoo_db: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campaign]:
    with in_odoo(tmp_path_factory.mktemp("chaos"), odoo_db) as made:
        yield made


def test_killed_on_both_sides_of_a_call_an_event_has_one_effect_in_a_real_odoo(
    odoo_campaign: Campaign,
) -> None:
    report = judged(odoo_campaign, [Point("relay", place=name) for name in AROUND_THE_CALL])
    assert [str(run.point) for run in report.runs if not run.died] == []


def broken_run(folder: Path, point: Point, **variant: Any) -> Run:
    with counted(folder, deadline=4, **variant) as campaign:
        run = campaign.run(point)
    assert run.died
    return run


def test_an_agent_that_acknowledges_before_it_commits_is_found_out(tmp_path: Path) -> None:
    point = Point("agent", place="intake.before_append")
    run = broken_run(tmp_path, point, before_agent=[[f"{BROKEN}:ack_before_commit"]])
    assert run.lost
    assert not run.doubled


def test_an_agent_that_marks_events_as_relayed_when_it_sends_them_is_found_out(
    tmp_path: Path,
) -> None:
    point = Point("agent", place="uplink.before_send")
    run = broken_run(tmp_path, point, before_agent=[[f"{BROKEN}:mark_before_reply"]])
    assert run.lost
    assert not run.doubled


def test_a_relay_that_settles_before_it_applies_is_found_out(tmp_path: Path) -> None:
    point = Point("relay", place="applier.before_apply")
    run = broken_run(tmp_path, point, before_relay=[[f"{BROKEN}:settle_before_apply"]])
    assert run.lost
    assert not run.doubled


def test_claims_that_recognise_nothing_are_found_out(tmp_path: Path) -> None:
    run = broken_run(tmp_path, Point("relay", place="applier.after_apply"), claims=False)
    assert run.doubled
    assert not run.lost


def test_a_relay_without_dedupe_is_covered_by_the_claims_and_found_out_without_them(
    tmp_path: Path,
) -> None:
    point = Point("relay", place="inbox.after_commit")
    broken = [[f"{BROKEN}:inbox_without_dedupe"]]
    covered = broken_run(tmp_path / "claims", point, before_relay=broken)
    assert (covered.lost, covered.doubled) == ([], [])
    both = broken_run(tmp_path / "none", point, before_relay=broken, claims=False)
    assert both.doubled
    assert not both.lost
