"""What Zebra printers push, and how it stands among answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.devices.printers.decoding import decode_printer
from edge_agent.devices.printers.zebra_alert import (
    CONDITIONS,
    MOMENTS,
    MOST_BYTES,
    AlertLines,
    alert,
    take_alerts,
)

TIME = "2031-02-03 04:05:06"
TAIL = f" [{TIME}] [SN77]\r\n".encode()


@pytest.mark.parametrize("condition", sorted({*CONDITIONS, *MOMENTS}))
@pytest.mark.parametrize(
    ("kind", "state"),
    [
        ("ALERT", "set"),
        ("ALERT CLEARED", "cleared"),
        ("ERROR CONDITION", "set"),
        ("ERROR CLEARED", "cleared"),
    ],
)
def test_every_condition_is_set_and_cleared(condition: str, kind: str, state: str) -> None:
    found = alert(f"{kind}: {condition}".encode() + TAIL)
    assert (found.kind, found.state, found.condition) == (kind, state, condition)
    assert (found.time, found.serial) == ("2031-02-03 04:05:06", "SN77")


@pytest.mark.parametrize(
    ("line", "kind", "state", "condition", "time", "serial"),
    [
        (b"LABEL TAKEN: " + TAIL, "LABEL TAKEN", "set", "LABEL TAKEN", TIME, "SN77"),
        (b"LABEL READY:" + TAIL, "LABEL READY", "set", "LABEL READY", TIME, "SN77"),
        (b"ALERT: PAPER OUT\r\n", "ALERT", "set", "PAPER OUT", None, None),
        (b"ALERT: HEAD OPEN CLEARED\r\n", "ALERT", "cleared", "HEAD OPEN", None, None),
        (b"ALERT: HEAD OPEN SET\r\n", "ALERT", "set", "HEAD OPEN", None, None),
        (b"ALERT: SGD SET [SN77]", "ALERT", "set", "SGD SET", None, "SN77"),
        (b"error condition: ribbon out", "ERROR CONDITION", "set", "RIBBON OUT", None, None),
        (b"ERROR CONDITION: HEAD  TOO HOT [02-03-2031 04:05] [S1 (name)]", "ERROR CONDITION", "set",
         "HEAD TOO HOT", "02-03-2031 04:05", "S1"),
    ],
)  # fmt: skip
def test_variants(
    line: bytes, kind: str, state: str, condition: str, time: str | None, serial: str | None
) -> None:
    found = alert(line)
    assert (found.kind, found.state, found.condition) == (kind, state, condition)
    assert (found.time, found.serial) == (time, serial)


@pytest.mark.parametrize("words", ["ALARM: Papier fehlt", "エラー: 用紙切れ", "FEHLER: KOPF OFFEN"])
def test_another_language_is_kept_as_it_came(words: str) -> None:
    found = decode_printer("zebra-alert", words.encode() + TAIL)
    assert (found["kind"], found["condition"], found["serial"]) == ("unparsed", None, "SN77")
    assert found["raw"].startswith(words)


@pytest.mark.parametrize(
    "line", [b"hello", b"a: b", b"\x02x\x03", b"ALERT:", b"x" * 2000, b" \r\n"]
)
def test_what_is_no_alert_is_an_error(line: bytes) -> None:
    assert decode_printer("zebra-alert", line)["status"] == "error"


LINES = [
    b"ALERT: PQ JOB COMPLETED" + TAIL[:-2],
    b"LABEL TAKEN: [t] [s]",
    b"x",
    "ア: イ [s]".encode(),
]


@given(st.lists(st.integers(1, 9), max_size=40), st.sampled_from([b"\r\n", b"\n", b"\r"]))
def test_lines_are_found_however_they_are_cut_and_glued(sizes: list[int], end: bytes) -> None:
    data, start, found = end.join(LINES) + end, 0, []
    lines = AlertLines()
    for size in [*sizes, len(data)]:
        found += lines.feed(data[start : start + size])
        start += size
    assert found + lines.end() == LINES


def test_a_stream_without_an_end_is_given_up_and_counted() -> None:
    lines = AlertLines()
    for _ in range(20):
        assert lines.feed(b"x" * 100) == []
    assert lines.dropped > MOST_BYTES
    assert lines.feed(b"\r\nALERT: HEAD OPEN\r\n")[-1] == b"ALERT: HEAD OPEN"


def test_alerts_are_taken_from_among_answers_and_leave_them_whole() -> None:
    status = b"\x02030,0,0,0812,000,0,0,0,000,0,0,0\x03\r\n"
    pushed = b"ERROR CONDITION: HEAD OPEN" + TAIL
    local = "エラー: 用紙切れ".encode() + TAIL
    rest, found = take_alerts(pushed + status + pushed + b'"123"' + local)
    assert rest == status + b'"123"'
    assert found == [pushed[:-2], pushed[:-2], local[:-2]]
    assert take_alerts(status + b"ALERT: PAP") == (status + b"ALERT: PAP", []), "not yet whole"
