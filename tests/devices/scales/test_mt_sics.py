import pytest

from tests.devices.scales.trying import fault, said, weight


@pytest.mark.parametrize(
    ("line", "value", "unit", "stable"),
    [
        ("S S      12.34 kg", "12.34", "KGM", True),
        ("S D    -0.0050 g", "-0.0050", "GRM", False),
        ("S S          3 PCS", "3", "H87", True),
        ("S S   1500.50 lb", "1500.50", "LBR", True),
        ("S S    310.4775 ozt", "310.4775", "APZ", True),
        ("S D       7.50 ct", "7.50", "CTM", False),
        ("S S      81.30 %", "81.30", "P1", True),
        ("S S        250 µg", "250", "MC", True),
    ],
)
def test_a_weight_stays_as_it_was_weighed(line: str, value: str, unit: str, stable: bool) -> None:
    reading = said("mt-sics", (line + "\r\n").encode())
    assert weight(reading) == (value, unit, stable, "net")
    assert reading.said == line


def test_a_latin_1_micro_sign_is_understood_too() -> None:
    assert said("mt-sics", b"S S        250 \xb5g\r\n").unece == "MC"


def test_digits_not_approved_for_trade_are_part_of_the_value_and_named() -> None:
    reading = said("mt-sics", b"S S    12.3[45] kg\r\n")
    assert (reading.value, reading.unverified) == ("12.345", "45")


@pytest.mark.parametrize(
    ("line", "status", "detail"),
    [
        ("S I", "busy", "not_executable"),
        ("S +", "overload", ""),
        ("S -", "underload", ""),
        ("S L", "error", "wrong_parameter"),
        ("ES", "error", "syntax_error"),
        ("ET", "error", "transmission_error"),
        ("EL", "error", "logical_error"),
        ("Z A", "info", "zeroed"),
        ("ZI D", "info", "zeroed"),
        ("Z I", "busy", "not_executable"),
        ("Z +", "error", "zero_range_exceeded_high"),
        ("Z -", "error", "zero_range_exceeded_low"),
        ("T -", "error", "tare_range_exceeded_low"),
        ("T +", "error", "tare_range_exceeded_high"),
        ("TAC A", "info", "tare_cleared"),
        ('I4 A "4711"', "info", "serial_number"),
        ('I2 A "BENCH 30 kg"', "info", "answer"),
        ("S S Error 7b", "error", "scale_error 7b"),
        ("S S      12.34 furlong", "error", "unknown_unit furlong"),
        ("S S      12.34", "error", "not_understood"),
        ("S S      12,34 kg", "error", "not_understood"),
        ("S S      1.2.3 kg", "error", "not_understood"),
        ("S S", "error", "not_understood"),
        ("S X      12.34 kg", "error", "not_understood"),
        ("S A      12.34 kg", "error", "not_understood"),
        ("S S      12.3[4 kg", "error", "not_understood"),
        ("S     12.34 kg", "error", "not_understood"),
        ("12.34 kg", "error", "not_understood"),
        ("", "error", "no_response"),
        ("\ufffd\ufffd", "error", "not_understood"),
    ],
)
def test_whatever_else_it_says_is_never_a_weight(line: str, status: str, detail: str) -> None:
    assert fault(said("mt-sics", line.encode())) == (status, detail)


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        ("T S       2.50 kg", "tared"),
        ("TI D       2.50 kg", "tared"),
        ("TA A       2.50 kg", "tare"),
    ],
)
def test_a_tare_is_told_and_never_a_weight(line: str, detail: str) -> None:
    reading = said("mt-sics", line.encode())
    assert fault(reading) == ("info", detail)
    assert reading.tare == "2.50"
