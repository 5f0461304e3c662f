import pytest

from edge_agent.devices.scales.toledo_continuous import ContinuousFrames
from tests.devices.scales.trying import fault, said, weight

KG = 0x30


def frame(
    a: int = 0x2C, b: int = KG, c: int = 0x20, weight: str = "  4711", tare: str = "     0"
) -> bytes:
    return bytes([2, a, b, c]) + weight.encode() + tare.encode() + b"\r"


def summed(sent: bytes) -> bytes:
    return sent + bytes([-sum(sent) & 0x7F])


@pytest.mark.parametrize(
    ("a", "value", "tare"),
    [
        (0x28, "471100", "200"),
        (0x29, "47110", "20"),
        (0x2A, "4711", "2"),
        (0x2B, "471.1", "0.2"),
        (0x34, "47.11", "0.02"),
        (0x3D, "4.711", "0.002"),
        (0x2E, "0.4711", "0.0002"),
        (0x2F, "0.04711", "0.00002"),
    ],
)
def test_status_word_a_places_the_decimal_point(a: int, value: str, tare: str) -> None:
    reading = said("toledo-continuous", frame(a=a, tare="     2"))
    assert (reading.value, reading.tare) == (value, tare)


@pytest.mark.parametrize(
    ("b", "c", "unit"),
    [
        (0x20, 0x20, "LBR"),
        (KG, 0x20, "KGM"),
        (KG, 0x21, "GRM"),
        (KG, 0x22, "TNE"),
        (0x20, 0x23, "ONZ"),
        (0x20, 0x24, "APZ"),
        (0x20, 0x25, "DWT"),
        (0x20, 0x26, "STN"),
    ],
)
def test_status_words_b_and_c_name_the_unit(b: int, c: int, unit: str) -> None:
    assert said("toledo-continuous", frame(b=b, c=c)).unece == unit


def test_a_unit_of_the_sites_own_is_taken_from_the_profile_or_refused() -> None:
    custom = frame(c=0x27)
    assert fault(said("toledo-continuous", custom)) == ("error", "unknown_unit custom")
    assert said("toledo-continuous", custom, unit="mg").unece == "MGM"


@pytest.mark.parametrize(
    ("b", "value", "stable", "mode"),
    [
        (KG, "47.11", True, "gross"),
        (KG | 1, "47.11", True, "net"),
        (KG | 2, "-47.11", True, "gross"),
        (KG | 8, "47.11", False, "gross"),
        (KG | 1 | 2 | 8, "-47.11", False, "net"),
        (0x10, "47.11", True, "gross"),
    ],
)
def test_status_word_b_tells_net_sign_and_motion(
    b: int, value: str, stable: bool, mode: str
) -> None:
    assert weight(said("toledo-continuous", frame(b=b))) == (value, "KGM", stable, mode)


def test_print_request_and_expanded_display_are_told() -> None:
    assert said("toledo-continuous", frame(c=0x28)).detail == "print_request"
    expanded = said("toledo-continuous", frame(c=0x30))
    assert (expanded.detail, expanded.value, expanded.unverified) == ("expanded", "47.11", "1")


@pytest.mark.parametrize(
    ("b", "status", "detail"),
    [
        (KG | 4, "overload", ""),
        (KG | 4 | 8, "overload", ""),
        (KG | 4 | 0x40, "overload", ""),
        (KG | 4 | 2, "underload", ""),
        (KG | 0x40, "info", "power_up_not_zeroed"),
        (KG | 0x40 | 8, "info", "power_up_not_zeroed"),
    ],
)
def test_out_of_range_and_not_zeroed_are_no_weights(b: int, status: str, detail: str) -> None:
    assert fault(said("toledo-continuous", frame(b=b))) == (status, detail)


def test_checksum_and_tare_field_are_as_the_profile_says() -> None:
    long, short = frame(), frame(tare="")
    assert said("toledo-continuous", summed(long), checksum=True).value == "47.11"
    assert said("toledo-continuous", summed(short), checksum=True, tare_field=False).tare is None
    assert fault(said("toledo-continuous", long, checksum=True)) == ("error", "checksum_missing")
    assert fault(said("toledo-continuous", short, tare_field=True))[0] == "error"
    assert fault(said("toledo-continuous", long, tare_field=False))[0] == "error"
    wrong = long + bytes([(summed(long)[-1] + 1) & 0x7F])
    assert fault(said("toledo-continuous", wrong)) == ("error", "checksum_error")
    assert said("toledo-continuous", wrong, checksum=False).value == "47.11"


@pytest.mark.parametrize(
    "sent",
    [
        frame(weight="      "),
        frame(weight="12 345"),
        frame(weight=" 12.34"),
        frame(tare="  -  1"),
        frame(a=0x4C),
        frame(c=0x00),
        frame()[:-3] + b"\r",
        frame() + b"ab",
    ],
)
def test_a_field_that_is_none_is_an_error(sent: bytes) -> None:
    assert fault(said("toledo-continuous", sent)) == ("error", "not_understood")


def test_a_checksum_that_looks_like_the_start_of_a_frame_is_a_checksum() -> None:
    sent = next(
        whole for n in range(10000) if (whole := summed(frame(weight=f"{n:>6}")))[-1] == 0x02
    )
    framer = ContinuousFrames(17, checksum=True)
    for first in range(1, len(sent)):
        framer.clear()
        assert framer.feed(sent[first:] + sent * 3)[-3:] == [sent] * 3
    # without the checksum in the profile it is noise between the frames
    plain = ContinuousFrames(17, checksum=False)
    assert plain.feed(sent * 3) == [sent[:-1]] * 3


def test_a_frame_that_lost_a_byte_is_dropped() -> None:
    framer = ContinuousFrames(17, checksum=False)
    for lost in range(1, 17):
        whole = frame()
        assert framer.feed(whole[:lost] + whole[lost + 1 :] + whole) == [whole]
    assert framer.dropped == 16 * 16


def test_a_stream_without_end_holds_no_more_than_a_frame() -> None:
    framer = ContinuousFrames(17, checksum=True)
    assert framer.feed(b"\x02" * 10_000 + b"x" * 10_000) == []
    assert framer.dropped > 19_000
