"""The checks on topics, payloads and the duplicate window notice readings that are wrong."""

import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import pytest

from edge_agent.devices.scanners.duplicates import Duplicates
from edge_agent.devices.scanners.payloads import read_payload
from edge_agent.devices.scanners.profile import ScannerProfile
from edge_agent.devices.scanners.reads import PayloadResult, ScannerRead, UnreadableFrame
from edge_agent.devices.scanners.topics import TopicFilter

# Topics ---------------------------------------------------------------------------------------

Match = Callable[[str, str], dict[str, str] | None]


def right_match(text: str, topic: str) -> dict[str, str] | None:
    return TopicFilter.parse(text).match(topic)


def check_topics(match: Match) -> None:
    assert match("gates/{device}/tags", "gates/g-1/tags") == {"device": "g-1"}
    assert match("gates/{device}/tags", "gates/g-1/hall/tags") is None
    assert match("gates/{device}", "gates/g-1/tags") is None
    assert match("gates/{device}/tags", "gates/g-1") is None
    assert match("gates/#", "gates") == {}
    assert match("+/tags", "$SYS/tags") is None


def takes_the_rest(text: str, topic: str) -> dict[str, str] | None:
    return right_match(f"{text}/#" if not text.endswith("#") else text, topic)


def reaches_the_server(text: str, topic: str) -> dict[str, str] | None:
    return right_match(text, topic.removeprefix("$"))


def needs_a_level(text: str, topic: str) -> dict[str, str] | None:
    return None if text == f"{topic}/#" else right_match(text, topic)


def forgets_the_name(text: str, topic: str) -> dict[str, str] | None:
    found = right_match(text, topic)
    return None if found is None else {}


def test_topics_are_matched_by_levels() -> None:
    check_topics(right_match)


@pytest.mark.parametrize(
    "broken", [takes_the_rest, reaches_the_server, needs_a_level, forgets_the_name]
)
def test_a_match_that_is_wrong_is_noticed(broken: Match) -> None:
    with pytest.raises(AssertionError):
        check_topics(broken)


# Payloads -------------------------------------------------------------------------------------

Read = Callable[[bytes], list[PayloadResult]]
PROFILE = ScannerProfile.model_validate(
    {"format": "glued-json", "read": {"data": "/tag", "time": "/at", "list": "/tags"}}
)


def right_read(payload: bytes) -> list[PayloadResult]:
    return read_payload(PROFILE, payload)


def check_payloads(read: Read) -> None:
    tags: list[object] = [{"tag": f"E20{number}"} for number in range(9)]
    mixed = read(json.dumps({"tags": [*tags[:4], {"tag": 7}, *tags[4:]]}).encode())
    assert [one.data for one in mixed if isinstance(one, ScannerRead)] == [
        f"E20{number}" for number in range(9)
    ]
    assert [one.code for one in mixed if isinstance(one, UnreadableFrame)] == ["bad_value"]
    twice = read(b'{"tag":"A"}{"tag":"A"}')
    assert len({one.key for one in twice if isinstance(one, ScannerRead)}) == 2
    again = read(b'{"tag":"A"}{"tag":"A"}')
    assert again == twice  # delivered once more: the same two reads
    glued = read(b'{"tag":"A"}{"tag":{"tag":"B"}')
    assert isinstance(glued[0], ScannerRead)
    assert isinstance(glued[-1], UnreadableFrame)


def all_or_nothing(payload: bytes) -> list[PayloadResult]:
    found = right_read(payload)
    bad = [one for one in found if isinstance(one, UnreadableFrame)]
    return list(bad or found)


def swallows(payload: bytes) -> list[PayloadResult]:
    return [one for one in right_read(payload) if not isinstance(one, UnreadableFrame)]


def one_of_equals(payload: bytes) -> list[PayloadResult]:
    return [
        replace(one, key=one.data.encode()) if isinstance(one, ScannerRead) else one
        for one in right_read(payload)
    ]


class CountsOn:
    """Numbers reads through all payloads: what is delivered again becomes new."""

    def __init__(self) -> None:
        self.number = 0

    def __call__(self, payload: bytes) -> list[PayloadResult]:
        found: list[PayloadResult] = []
        for one in right_read(payload):
            self.number += 1
            key = str(self.number).encode()
            found.append(replace(one, key=key) if isinstance(one, ScannerRead) else one)
        return found


def test_payloads_are_read_piece_by_piece() -> None:
    check_payloads(right_read)


@pytest.mark.parametrize("broken", [all_or_nothing, swallows, one_of_equals, CountsOn()])
def test_a_payload_that_is_read_wrong_is_noticed(broken: Read) -> None:
    with pytest.raises(AssertionError):
        check_payloads(broken)


@pytest.mark.parametrize("noise", [b"x}{" * 50_000, b'{"a":\n}{' * 20_000, b"[}{" * 50_000])
def test_noise_makes_few_complaints(noise: bytes) -> None:
    found = right_read(noise)
    assert len(found) <= 101
    assert all(isinstance(one, UnreadableFrame) for one in found)


# The duplicate window -------------------------------------------------------------------------


class Window(Protocol):
    def repeats(self, read: ScannerRead, now: float) -> bool: ...


def check_window(window: Window) -> None:
    label, same_text = ScannerRead("LOT-7", "]C0"), ScannerRead("LOT-7", "]Q1")
    assert not window.repeats(label, 10.0)
    assert not window.repeats(same_text, 10.1)
    assert window.repeats(label, 10.9)
    assert window.repeats(label, 11.8)  # it stayed in view: the window began anew
    assert not window.repeats(label, 12.8)  # a whole second without it


class FromTheFirst(Duplicates):
    """The window begins with the first sight only."""

    def __init__(self) -> None:
        super().__init__(1.0)
        self._first: dict[str, float] = {}

    def repeats(self, read: ScannerRead, now: float) -> bool:
        label = f"{read.data} {read.symbology}"
        if now - self._first.get(label, -9.0) < 1.0:
            return True
        self._first[label] = now
        return False


class ByText(Duplicates):
    def repeats(self, read: ScannerRead, now: float) -> bool:
        return super().repeats(replace(read, symbology=None), now)


class LastOnly(Duplicates):
    def repeats(self, read: ScannerRead, now: float) -> bool:
        label = (read.data, read.symbology)
        self._seen = OrderedDict(item for item in self._seen.items() if item[0] == label)
        return super().repeats(read, now)


class ForEver(Duplicates):
    def __init__(self) -> None:
        super().__init__(3600.0)


def test_the_window_begins_anew_with_each_sight() -> None:
    check_window(Duplicates(1.0))


@pytest.mark.parametrize(
    "broken", [FromTheFirst(), ByText(1.0), LastOnly(1.0), ForEver(), Duplicates(0.0)]
)
def test_a_window_that_is_wrong_is_noticed(broken: Window) -> None:
    with pytest.raises(AssertionError):
        check_window(broken)
