import pytest

from tests.devices.scales.trying import fault, said, weight


def frame(head: str, digits: str, unit: str) -> bytes:
    assert len(head) == 5
    return f"\n{head}{digits:>10}{unit:<3}\r".encode()


@pytest.mark.parametrize(
    ("sent", "expected", "detail"),
    [
        (frame(" 1G  ", "18.225", "kg"), ("18.225", "KGM", True, "gross"), ""),
        (frame(" 2N  ", "-0.450", "lb"), ("-0.450", "LBR", True, "net"), ""),
        (frame(" 1NM ", "120000", "g"), ("120000", "GRM", False, "net"), ""),
        (frame("Z1G  ", "0.000", "kg"), ("0.000", "KGM", True, "gross"), "zero"),
        (frame(" 1g  ", "18.2255", "kg"), ("18.2255", "KGM", True, "gross"), "high_resolution"),
        (frame(" 1nM ", "18.2255", "oz"), ("18.2255", "ONZ", False, "net"), "high_resolution"),
        (frame(" 1G x", "18.225", "kg"), ("18.225", "KGM", True, "gross"), ""),
        (frame(" 1G  ", "18.225", "g").rstrip(b" \r"), ("18.225", "GRM", True, "gross"), ""),
    ],
)
def test_the_fields_of_a_standard_reply(
    sent: bytes, expected: tuple[str, str, bool, str], detail: str
) -> None:
    reading = said("sma", sent)
    assert weight(reading) == expected
    assert reading.detail == detail


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (frame("O1G  ", "31.000", "kg"), ("overload", "")),
        (frame("U1GM ", "-1.000", "kg"), ("underload", "")),
        (frame("E1G  ", "-" * 10, "kg"), ("error", "zero_error")),
        (frame("I1G  ", "-" * 10, "kg"), ("error", "initial_zero_error")),
        (frame("T1N  ", "-" * 10, "kg"), ("error", "tare_error")),
        (frame(" 1GM ", "", "kg"), ("motion", "")),
        (frame(" 1G  ", "", "kg"), ("error", "not_understood")),
        (frame(" 1G  ", "18.225 ", "kg"), ("error", "not_understood")),
        (frame(" 1G  ", "18.225", "qq"), ("error", "unknown_unit qq")),
        (frame("X1G  ", "18.225", "kg"), ("error", "not_understood")),
        (frame(" 1X  ", "18.225", "kg"), ("error", "not_understood")),
        (b"\n?\r", ("error", "unknown_command")),
        (b"\n!\r", ("error", "communication_error")),
        (b"\n    \r", ("info", "diagnostics_ok")),
        (b"\n E  \r", ("error", "eeprom_error")),
        (b"\nR C \r", ("error", "ram_or_rom_error calibration_error")),
        (b"\nSMA:1/1.0\r", ("info", "about SMA:1/1.0")),
        (b"\nCAP:kg :30:5:3\r", ("info", "about CAP:kg :30:5:3")),
        (b"\n\r", ("error", "not_understood")),
    ],
)
def test_whatever_else_it_says_is_never_a_weight(sent: bytes, expected: tuple[str, str]) -> None:
    assert fault(said("sma", sent)) == expected


def test_a_tare_is_told_and_never_a_weight() -> None:
    reading = said("sma", frame(" 1T  ", "0.750", "kg"), "\nM\r")
    assert fault(reading) == ("info", "tare")
    assert reading.tare == "0.750"
