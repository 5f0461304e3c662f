from __future__ import annotations

from datetime import UTC, datetime

import pytest

from edge_agent.devices import live
from edge_agent.devices.live import Live
from edge_agent.devices.printers.state import Seen as Printer
from edge_agent.devices.scales.reading import ScaleReading
from edge_agent.devices.scanners.reads import ScannerRead, UnreadableFrame
from edge_agent.looking import is_wrong

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def clock() -> datetime:
    return NOW


def test_whoever_looks_gets_what_happens_from_then_on_in_order() -> None:
    hub = Live(clock)
    tap = hub.tap("bench-1")
    tap("received", b"before")
    with hub.look("bench-1") as look:
        tap("sent", b"SI\r\n")
        tap("received", b"\x02 1\xff")
        hub.decoded("bench-1", ScaleReading("ok", "x", "1", "kg", "KGM", True))
        hub.tap("bench-2")("received", b"of another")
        seen, lost = look.take()
    documents = [one.document() for one in seen]
    assert [one["what"] for one in documents] == ["sent", "received", "decoded"]
    assert (documents[1]["hex"], documents[1]["text"]) == ("02 20 31 ff", "\\x02 1\\xff")
    assert documents[2]["said"]["value"] == "1"
    assert documents[0]["time"] == "2026-01-02T03:04:05+00:00"
    assert lost == 0
    assert look.take() == ([], 0)


def test_after_the_look_nothing_is_kept() -> None:
    hub = Live(clock)
    with hub.look("bench-1") as look:
        pass
    hub.tap("bench-1")("received", b"after")
    assert look.take() == ([], 0)
    assert hub._looks == {}


def test_a_look_that_nobody_takes_is_bounded_and_says_what_it_lost() -> None:
    hub = Live(clock)
    with hub.look("bench-1") as look:
        for number in range(live._MOST + 7):
            hub.tap("bench-1")("received", b"%d" % number)
        seen, lost = look.take()
    assert (len(seen), lost) == (live._MOST, 7)
    assert seen[0].data == b"7"


def test_two_look_at_one_device_and_a_crowd_does_not() -> None:
    hub = Live(clock)
    with hub.look("a") as first, hub.look("a") as second:
        hub.tap("a")("received", b"x")
        assert [len(look.take()[0]) for look in (first, second)] == [1, 1]
    looks = [hub.look("a") for _ in range(live._LOOKS)]
    for look in looks:
        look.__enter__()
    with pytest.raises(ValueError, match="end one of them"), hub.look("a"):
        pass
    for look in looks:
        look.__exit__(None, None, None)


def test_whatever_was_understood_can_be_written_as_json_without_what_is_internal() -> None:
    read = live.Seen(NOW, "decoded", decoded=ScannerRead("A", time=NOW, key=b"\x00digest"))
    said = read.document()["said"]
    assert "key" not in said
    assert said["time"] == "2026-01-02T03:04:05+00:00"
    bad = live.Seen(NOW, "decoded", decoded=UnreadableFrame(b"\xff", 1, "code", "A sentence."))
    assert bad.document()["said"]["raw"] == "\\xff"


def test_how_a_printer_is_comes_with_what_its_conditions_come_to() -> None:
    found = live.Seen(NOW, "decoded", decoded=Printer(("media_out",), "x")).document()
    assert found["kind"] == "printer"
    assert (found["said"]["state"], found["said"]["answered"]) == ("attention", True)
    silent = live.Seen(NOW, "decoded", decoded=Printer(("no_answer",))).document()
    assert is_wrong(silent)
    assert not is_wrong(found)


def test_a_flood_is_shown_by_its_head_and_its_size() -> None:
    found = live.Seen(NOW, "received", b"x" * 5000).document()
    assert found["size"] == 5000
    assert len(found["text"]) == live._SHOWN
