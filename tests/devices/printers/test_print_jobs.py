"""What a job prints, and what proves it: pure."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.devices.printers.jobs import Expected, JobWatch, PrintJob, expected
from edge_agent.devices.printers.languages import Poll
from edge_agent.devices.printers.profile import PrinterProfile
from edge_agent.devices.printers.state import seen
from edge_agent.devices.printers.zebra_alert import alert

PROFILE = PrinterProfile(language="zpl", idle_s=1, alert_wait_s=5, job_timeout_s=60)
IDLE, BUSY = Poll(seen(()), idle=True), Poll(seen((), busy=True), idle=False)
OPEN = Poll(seen(("head_open",)), idle=True)
SILENT = Poll(seen(("no_answer",)))
DONE = alert(b"ALERT: PQ JOB COMPLETED")
TAKEN = alert(b"LABEL TAKEN: ")


def watch(labels: int = 2, formats: int = 1, **options: Any) -> JobWatch:
    options = {"counter": 100, "alerts": True, "at": 0.0, **options}
    return JobWatch(Expected(labels, formats), PROFILE, **options)


@pytest.mark.parametrize(
    ("data", "copies", "labels", "formats"),
    [
        (b"^XA^FDx^FS^XZ", 1, 1, 1),
        (b"^XA^FDx^FS^PQ3,0,1,Y^XZ", 2, 6, 2),
        (b"^XA^FDx^FS^PQ0^XZ", 1, 1, 1),
        (b"~DGR:A.GRF,1,1,00\n^XA^XGR:A.GRF^FS^XZ", 1, 1, 1),
        (b"^XA^DFR:A.ZPL^FS^FDx^FS^XZ^XA^XFR:A.ZPL^FS^XZ", 1, 1, 1),
        (b"^XA^MMT^XZ^XA^FDa^FS^XZ\n^XA^FDb^FS^PQ2^XZ", 1, 3, 2),
    ],
)
def test_what_a_zpl_job_prints(data: bytes, copies: int, labels: int, formats: int) -> None:
    assert expected(PrintJob(data, copies), "zpl") == Expected(labels, formats)


def test_what_other_jobs_print() -> None:
    tspl = PrintJob(b"CLS\r\nPRINT 2,3\r\nprint 1\r\n", 2)
    assert expected(tspl, "tspl") == Expected(14, 4)
    assert expected(PrintJob(b"x", 3), "escpos") == Expected(3, 3)


@pytest.mark.parametrize(
    ("data", "copies", "language"),
    [
        (b"", 1, "escpos"),
        (b"CLS\r\n", 1, "tspl"),
        (b"^XA^FDx^FS", 1, "zpl"),
        (b"^XA^FDx^FS^XZ", 10_001, "zpl"),
        (b"^XA^FDx^FS^XZ", 0, "zpl"),
        (b"^XA^FDx^FS^PQ99999999^XZ", 1, "zpl"),
    ],
)
def test_what_prints_nothing_or_cannot_be_meant_is_no_job(
    data: bytes, copies: int, language: Any
) -> None:
    with pytest.raises(ValueError, match="label"):
        expected(PrintJob(data, copies), language)


def test_idle_must_last_and_be_without_a_break() -> None:
    job = watch(counter=None, alerts=False)
    job.polled(IDLE, 1.0)
    assert job.proof == 0
    job.polled(BUSY, 1.5)
    job.polled(IDLE, 2.5)
    assert (job.proof, job.done(2.5)) == (0, False)
    job.polled(IDLE, 3.5)
    assert (job.proof, job.done(3.5), job.doubt) == (1, True, "")
    job.polled(OPEN, 4.0)
    assert job.proof == 0, "what it says now is not that it is done"


@pytest.mark.parametrize(("rise", "proof"), [(0, 0), (1, 0), (2, 2), (3, 1)])
def test_the_counter_must_rise_by_just_the_labels(rise: int, proof: int) -> None:
    job = watch(alerts=False)
    job.counted(100 + rise, 0.5)
    job.polled(IDLE, 1.0)
    job.polled(IDLE, 2.0)
    assert job.proof == proof
    assert (job.doubt == "") == (rise == 2)


def test_a_counter_that_falls_or_is_not_told_proves_nothing() -> None:
    job = watch(alerts=False)
    job.counted(None, 0.5)
    job.polled(IDLE, 1.0)
    job.polled(IDLE, 2.0)
    assert job.proof == 0
    job.counted(3, 2.5)
    assert job.proof == 0


@pytest.mark.parametrize("pushed", [[DONE], [TAKEN, TAKEN], [TAKEN, DONE]])
def test_alerts_count_with_the_printer_and_its_counter_in_agreement(pushed: list[Any]) -> None:
    job = watch()
    for one in pushed:
        job.alerted(one, 0.5)
    assert job.proof == 0
    job.polled(IDLE, 1.0)
    job.polled(IDLE, 2.0)
    assert job.proof == 0, "the counter has not moved: the alerts are of another job"
    job.counted(102, 2.5)
    assert (job.proof, job.done(2.5)) == (3, True)


def test_too_few_alerts_prove_no_more_than_the_counter() -> None:
    job = watch(labels=2, formats=2)
    job.alerted(DONE, 0.5)
    job.alerted(TAKEN, 0.5)
    job.alerted(alert(b"ALERT CLEARED: PQ JOB COMPLETED"), 0.5)
    job.counted(102, 0.9)
    job.polled(IDLE, 1.0)
    job.polled(IDLE, 2.0)
    assert job.proof == 2
    assert not job.done(5.5), "an alert may still come"
    assert job.done(6.5)


def test_a_printer_that_restarted_proves_only_by_its_counter() -> None:
    job = watch()
    job.alerted(alert(b"ALERT: POWER ON"), 0.5)
    job.polled(IDLE, 1.0)
    job.polled(IDLE, 2.0)
    assert job.proof == 0
    job.counted(102, 2.5)
    assert job.proof == 2


def test_a_silent_printer_is_waited_for_and_then_given_up() -> None:
    job = watch()
    for at in range(1, 60):
        job.polled(SILENT, float(at))
        assert not job.done(float(at))
    assert job.done(60.0)
    assert (job.proof, job.doubt) == (
        0,
        "the printer does not answer: check media, ribbon and head",
    )


def test_a_job_that_goes_on_is_not_given_up() -> None:
    job = watch(labels=500, alerts=False)
    for n in range(500):
        job.polled(BUSY, n * 30.0)
        job.counted(100 + n, n * 30.0)
        assert not job.done(n * 30.0)


EVENTS = st.sampled_from(["idle", "busy", "open", "silent", "count", "done", "taken", "lost"])


@given(st.lists(EVENTS, max_size=40), st.booleans(), st.integers(1, 3))
def test_proof_is_never_higher_than_what_was_seen(
    events: list[str], counts: bool, labels: int
) -> None:
    job = watch(labels=labels, counter=100 if counts else None)
    printed = completed = taken = 0
    for at, event in enumerate(events, start=1):
        if event in ("idle", "busy", "open", "silent"):
            polls = {"idle": IDLE, "busy": BUSY, "open": OPEN, "silent": SILENT}
            job.polled(polls[event], float(at))
        elif event == "count":
            printed += 1
            job.counted(100 + printed if counts else None, float(at))
        elif event == "done":
            completed += 1
            job.alerted(DONE, float(at))
        elif event == "taken":
            taken += 1
            job.alerted(TAKEN, float(at))
        else:
            job.lost()
        polled = [one for one in events[:at] if one in ("idle", "busy", "open", "silent")]
        if job.proof >= 1:
            assert polled[-2:] == ["idle", "idle"]
        if job.proof >= 2 and counts:
            assert printed == labels
        if job.proof == 1:
            assert "lost" not in events[:at]
        if job.proof == 3:
            assert completed >= 1 or taken >= labels
            assert "lost" not in events[:at]


def test_a_variant_that_takes_one_idle_answer_for_the_end_is_caught() -> None:
    class Hasty(JobWatch):
        def polled(self, poll: Poll, at: float) -> None:
            super().polled(poll, at)
            self._idle = bool(poll.idle)

    job = Hasty(Expected(2, 1), PROFILE, counter=None, alerts=False, at=0.0)
    job.polled(IDLE, 1.0)
    assert job.proof == 1 != watch(counter=None).proof
