"""Bytes of a serial scanner become reads, however they arrive."""

import itertools
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from edge_agent.devices.scanners.profile import ScannerProfile
from edge_agent.devices.scanners.reads import FrameResult, NoRead, ScannerRead, UnreadableFrame
from edge_agent.devices.scanners.serial_frames import SerialFrames

PROFILES: dict[str, dict[str, Any]] = {
    "lines": {},
    "stx": {"frame": {"start": "\x02", "start_required": True, "end": "\x03", "max_bytes": 20}},
    "ends": {"frame": {"start": "\x02", "end": ["\r", "\r\n", "\t", "\x03"], "max_bytes": 12}},
    "long end": {"frame": {"end": "#*#", "max_bytes": 9}},
    "dollar": {"frame": {"start": "$", "start_required": True, "end": "\r", "max_bytes": 9}},
    "length": {"frame": {"start": "\x02", "end": "\x03", "length": {"size": 2}}},
    "binary length": {
        "frame": {"start": "\x02", "end": [], "length": {"size": 1, "form": "big-endian"}}
    },
}
BYTES = st.lists(
    st.sampled_from([b"A", b"B7", b"\r", b"\n", b"\r\n", b"\t", b"\x02", b"\x03", b"$", b"#*#"])
    | st.sampled_from([b"#", b"*", b"05", b"\x0201A\x03", b"\x02\x01A", b"\xff", b"]C1", b"0" * 25])
).map(b"".join)


def profile(**settings: Any) -> ScannerProfile:
    return ScannerProfile.model_validate(settings)


def reads(profile: ScannerProfile, *chunks: bytes) -> list[FrameResult]:
    frames = SerialFrames(profile)
    return [result for chunk in chunks for result in frames.feed(chunk)]


def data(profile: ScannerProfile, *chunks: bytes) -> list[str]:
    return [one.data for one in reads(profile, *chunks) if isinstance(one, ScannerRead)]


def one_by_one(text: bytes) -> list[bytes]:
    return [text[at : at + 1] for at in range(len(text))]


@pytest.mark.parametrize(
    ("frame", "sent"),
    [
        ({}, b"LOT-1\rLOT-2\n"),
        ({}, b"LOT-1\r\nLOT-2\r\n"),
        ({"end": ["\r", "\r\n"]}, b"LOT-1\r\nLOT-2\r"),
        ({"end": "\t"}, b"LOT-1\tLOT-2\t"),
        ({"start": "\x02", "end": "\x03"}, b"\x02LOT-1\x03\x02LOT-2\x03"),
        ({"start": "\x02", "end": ["\x03", "\r", "\n"]}, b"\x02LOT-1\x03\r\nLOT-2\r\n"),
        ({"start": "\x02", "start_required": True, "end": "\x03"}, b"?\x02LOT-1\x03!\x02LOT-2\x03"),
        ({"start": ">>", "end": "<<"}, b">>LOT-1<<>>LOT-2<<"),
        (
            {"start": "\x02", "end": "\x03", "length": {"size": 3}},
            b"\x02005LOT-1\x03\x02005LOT-2\x03",
        ),
        (
            {"start": "\x02", "end": [], "length": {"size": 2, "form": "little-endian"}},
            b"\x02\x05\x00LOT-1\x02\x05\x00LOT-2",
        ),
        (
            {"start": "\x02", "end": "\r", "length": {"size": 2, "form": "hex"}},
            b"\x0205LOT-1\r\x0205LOT-2\r",
        ),
    ],
)
def test_a_read_begins_and_ends_as_the_profile_says(frame: dict[str, Any], sent: bytes) -> None:
    wanted = ["LOT-1", "LOT-2"]
    scanner = profile(frame=frame)
    assert data(scanner, sent) == wanted
    assert data(scanner, *one_by_one(sent)) == wanted
    for cut in range(len(sent)):
        assert data(scanner, sent[:cut], sent[cut:]) == wanted


def check_any_cutting(make: type[SerialFrames], name: str, sent: bytes, cuts: list[int]) -> None:
    scanner = profile(**PROFILES[name])
    whole = make(scanner)
    wanted = whole.feed(sent)
    bounds = sorted({cut % (len(sent) + 1) for cut in cuts} | {0, len(sent)})
    parts = make(scanner)
    found = [
        result
        for begin, end in itertools.pairwise(bounds)
        for result in parts.feed(sent[begin:end])
    ]
    assert found == wanted
    assert parts.flush() == whole.flush()
    assert parts.dropped == whole.dropped


@given(
    name=st.sampled_from(sorted(PROFILES)),
    sent=BYTES,
    cuts=st.lists(st.integers(0, 200), max_size=12),
)
@example(name="ends", sent=b"A\r\nB", cuts=[2])
@settings(max_examples=400, deadline=None)
def test_any_cutting_of_the_same_bytes_gives_the_same_reads(
    name: str, sent: bytes, cuts: list[int]
) -> None:
    check_any_cutting(SerialFrames, name, sent, cuts)


def test_frames_that_are_cut_at_the_end_of_a_chunk_are_caught_by_the_test_above() -> None:
    class ForgetsBetweenChunks(SerialFrames):
        def feed(self, data: bytes) -> list[FrameResult]:
            self.clear()
            return super().feed(data)

    with pytest.raises(AssertionError):
        check_any_cutting(ForgetsBetweenChunks, "lines", b"AB\r", [1])


@given(name=st.sampled_from(sorted(PROFILES)), sent=st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_no_bytes_crash_it(name: str, sent: bytes) -> None:
    frames = SerialFrames(profile(**PROFILES[name]))
    frames.feed(sent)
    frames.idle()
    frames.flush()


def test_a_read_that_never_ends_is_told_once_and_keeps_no_memory() -> None:
    frames = SerialFrames(profile(frame={"max_bytes": 100}))
    found = [result for _ in range(1000) for result in frames.feed(b"x" * 97)]
    assert [type(one) for one in found] == [UnreadableFrame]
    assert frames.pending <= 101
    assert frames.dropped == 97_000 - 100 - frames.pending
    assert data(profile(), b"x" * 5000 + b"\rLOT\r") == ["LOT"]


def test_noise_before_the_start_is_no_complaint() -> None:
    frames = SerialFrames(profile(**PROFILES["stx"]))
    assert frames.feed(b"\xff" * 500 + b"\x02LOT\x03") == reads(profile(), b"LOT\r")
    assert frames.dropped == 500


def test_a_new_start_gives_up_the_read_that_was_cut_off() -> None:
    assert data(profile(**PROFILES["stx"]), b"\x02LO\x02LOT\x03") == ["LOT"]


def test_a_length_that_does_not_fit_is_told_and_the_next_read_is_found() -> None:
    scanner = profile(**PROFILES["length"])
    found = reads(scanner, b"\x0299A\x03\x0203ABCD\x03\x0203ABC\x03" + b"." * 96)
    assert [one.data for one in found if isinstance(one, ScannerRead)] == ["ABC"]
    assert any(isinstance(one, UnreadableFrame) for one in found)


def test_silence_ends_a_read_only_where_the_profile_says_so() -> None:
    waits = SerialFrames(profile())
    assert waits.feed(b"LOT") == waits.idle() == []
    assert waits.pending == 3
    flushes = SerialFrames(profile(frame={"end": [], "idle_flush_s": 0.1}))
    assert flushes.feed(b"LOT") == []
    assert [one.data for one in flushes.idle() if isinstance(one, ScannerRead)] == ["LOT"]
    assert flushes.pending == 0


@pytest.mark.parametrize("sent", [b"\r\n", b"\r\r\r", b"\x02\x03"])
def test_an_empty_frame_is_nothing(sent: bytes) -> None:
    assert reads(profile(**PROFILES["ends"]), sent) == []


def test_an_empty_frame_is_a_read_that_failed_where_the_profile_says_so() -> None:
    assert reads(profile(no_read="", frame={"end": "\r"}), b"\r") == [NoRead("")]


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        ({"end": []}, "nothing ends a read"),
        ({"start_required": True}, "start_required needs start"),
        ({"start": "\x02", "end": "\x02"}, "which of them is meant"),
        ({"start": ["\x02", "\x02\x0b"]}, "which of them is meant"),
        ({"end": ["b", "abc"]}, "which of them is meant"),
        ({"end": "ž"}, "names bytes"),
        ({"length": {"size": 2}}, "length needs start"),
    ],
)
def test_a_framing_that_cannot_work_is_refused_in_a_sentence(
    frame: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError, match=said):
        profile(frame=frame)
