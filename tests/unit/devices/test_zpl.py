import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.devices.zpl import HostStatus, HostStatusReader


def answer(first: str = "030,0,0,0812,000,0,0,0,000,0,0,0", second: str = "") -> bytes:
    second = second or "000,0,0,0,0,2,4,0,00000000,1,000"
    lines = (first, second, "1234,0")
    return b"".join(b"\x02" + line.encode() + b"\x03\r\n" for line in lines)


def read(data: bytes) -> HostStatus:
    status = HostStatusReader().feed(data)
    assert status is not None
    return status


@pytest.mark.parametrize(
    ("data", "state", "conditions"),
    [
        (answer(), "ok", ()),
        (answer(first="030,1,0,0812,000,0,0,0,000,0,0,0"), "attention", ("paper_out",)),
        (answer(first="030,0,1,0812,000,0,0,0,000,0,0,0"), "paused", ("pause",)),
        (answer(first="030,0,0,0812,003,0,0,0,000,0,0,0"), "busy", ()),
        (answer(first="030,0,0,0812,000,0,0,0,000,0,0,1"), "error", ("over_temp",)),
        (answer(first="030,0,0,0812,000,0,0,0,000,1,0,0"), "error", ("corrupt_ram",)),
        (answer(second="000,0,1,0,0,2,4,0,00000000,1,000"), "attention", ("head_open",)),
        (answer(second="000,0,0,1,1,2,4,0,00000000,1,000"), "attention", ("ribbon_out",)),
        (answer(second="000,0,0,1,0,2,4,0,00000000,1,000"), "ok", ()),
        (answer(second="000,0,0,0,0,1,4,1,00000002,1,000"), "busy", ("label_waiting",)),
    ],
)
def test_what_keeps_it_from_printing_wins(
    data: bytes, state: str, conditions: tuple[str, ...]
) -> None:
    status = read(data)
    assert (status.state(), status.conditions()) == (state, conditions)


def test_the_fields_are_where_the_manual_has_them() -> None:
    status = read(answer(second="000,0,0,0,1,3,4,0,00000007,1,000"))
    assert (status.label_length_dots, status.labels_remaining) == (812, 7)
    assert (status.thermal_transfer, status.print_mode) == (True, "cutter")


@given(st.lists(st.integers(1, 20), max_size=30))
@settings(max_examples=50, deadline=None)
def test_an_answer_is_complete_with_its_third_line_however_it_is_cut(sizes: list[int]) -> None:
    data, reader, start = answer(), HostStatusReader(), 0
    end = data.rindex(b"\x03") + 1
    for size in [*sizes, len(data)]:
        status = reader.feed(data[start : start + size])
        start += size
        assert (status is not None) == (start >= end)
        if status is not None:
            return


@pytest.mark.parametrize(
    "data",
    [
        b"\x02a\x03\x02b\x03\x02c\x03",
        answer(first="030,2,0,0812,000,0,0,0,000,0,0,0"),
        answer(first="030,x,0,0812,000,0,0,0,000,0,0,0"),
        answer(first="030,0,0"),
        b"HTTP/1.1 400 Bad Request\r\n" * 200,
    ],
)
def test_another_language_is_no_status(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        HostStatusReader().feed(data)


@given(st.binary(max_size=200))
@settings(max_examples=50, deadline=None)
def test_bytes_either_wait_or_are_refused(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        HostStatusReader().feed(data)


def test_what_people_read_of_an_answer_has_no_nul_in_it() -> None:
    reader = HostStatusReader()
    reader.feed(b"\x02030,\x000,0\x03\r\n")
    assert "\0" not in reader.text
    assert "030" in reader.text
