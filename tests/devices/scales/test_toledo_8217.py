import pytest

from edge_agent.devices.scales.codec import scale_codec
from tests.devices.scales.trying import fault, said, shipped, weight


@pytest.mark.parametrize(
    ("frame", "value", "mode"),
    [
        (b"\x02 7.085\r", "7.085", "gross"),
        (b"\x0200.000\r", "0.000", "gross"),
        (b"\x02003.15\r", "3.15", "gross"),
        (b"\x0217.085N\r", "17.085", "net"),
        (b"\x02001250\r", "1250", "gross"),
        (b"\x0207.0855\r", "7.0855", "gross"),
        (b" 7.085", "7.085", "gross"),
    ],
)
def test_a_weight_has_no_unit_and_is_stable(frame: bytes, value: str, mode: str) -> None:
    assert weight(said("toledo-8217", frame, "W")) == (value, None, True, mode)


def test_the_unit_is_that_of_the_profile_unless_the_frame_names_one() -> None:
    assert said("toledo-8217", b"\x02 7.085\r", unit="lb").unece == "LBR"
    assert said("toledo-8217", b"\x02 7.085kg\r", unit="lb").unece == "KGM"


@pytest.mark.parametrize(
    ("byte", "status", "detail"),
    [
        (0b100_0001, "motion", ""),
        (0b100_0010, "overload", ""),
        (0b100_0100, "underload", ""),
        (0b100_1000, "info", "outside_zero_capture"),
        (0b101_0000, "info", "center_of_zero"),
        (0b110_0000, "info", "net"),
        (0b100_0000, "info", "ready"),
        (0b101_0001, "motion", ""),
        (0b110_0011, "overload", ""),
        (0b110_0101, "underload", ""),
        (0b100_1001, "motion", ""),
        (0b000_0001, "error", "not_understood"),
        (0b1100_0001, "error", "not_understood"),
    ],
)
def test_the_worst_bit_of_the_status_wins(byte: int, status: str, detail: str) -> None:
    assert fault(said("toledo-8217", bytes([2, 0x3F, byte, 0x0D]))) == (status, detail)


def test_the_net_bit_of_an_8213_says_nothing() -> None:
    codec = scale_codec(shipped("toledo-8213"))
    assert fault(codec.decode(b"\x02?\x60\r")) == ("info", "ready")
    assert fault(codec.decode(b"\x02?\x61\r")) == ("motion", "")


@pytest.mark.parametrize(
    ("frame", "command", "status", "detail"),
    [
        (b"\x02E\rknock", "Eknock", "info", "probe_ok"),
        (b"\x02E\rkn", "Eknock", "error", "probe_mismatch"),
        (b"\x02E\r", "E", "info", "echo_on"),
        (b"\x02F\r", "F", "info", "echo_off"),
        (b"\x02\r", "A", "info", "test_started"),
        (b"\x02?@\r", "B", "info", "test_passed"),
        (b"\x02?P\r", "B", "error", "test_failed rom"),
        (b"\x02?J\r", "B", "error", "test_failed novrom processor_ram"),
        (b"\x02?\x00\r", "B", "info", "no_test_result"),
    ],
)
def test_the_command_tells_what_an_answer_means(
    frame: bytes, command: str, status: str, detail: str
) -> None:
    assert fault(said("toledo-8217", frame, command)) == (status, detail)


@pytest.mark.parametrize(
    "frame",
    [
        b"\x02-1.25\r",
        b"\x02?\r",
        b"\x02??A\r",
        b"\x021.2.3\r",
        b"\x027\r",
        b"7",
        b"\x02\r",
        b"\x02 \r",
    ],
)
def test_whatever_else_it_says_is_an_error(frame: bytes) -> None:
    assert fault(said("toledo-8217", frame)) == ("error", "not_understood")
