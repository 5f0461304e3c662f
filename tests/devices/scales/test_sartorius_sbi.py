import pytest

from tests.devices.scales.trying import fault, said, weight


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("+    731.5 g  ", ("731.5", "GRM", True, None)),
        ("     731.5 kg ", ("731.5", "KGM", True, None)),
        ("-    0.050 ozt", ("-0.050", "APZ", True, None)),
        ("+       48 pcs", ("48", "H87", True, None)),
        ("+    731.5    ", ("731.5", None, False, None)),
        ("+  731.5", None),
        ("N     +    731.5 g  ", ("731.5", "GRM", True, "net")),
        ("N1    -    731.5 g  ", ("-731.5", "GRM", True, "net")),
        ("G#    +    731.5    ", ("731.5", None, False, "gross")),
        ("Qnt   +       48 pcs", ("48", "H87", True, None)),
    ],
)
def test_the_columns_tell_sign_weight_and_unit(
    line: str, expected: tuple[str, str, bool, str | None] | None
) -> None:
    reading = said("sartorius-sbi", f"{line}\r\n".encode())
    if expected is None:
        fault(reading)
    else:
        assert weight(reading) == expected


def test_an_unstable_weight_has_the_unit_of_the_profile() -> None:
    reading = said("sartorius-sbi", b"+    731.5    \r\n", unit="g")
    assert weight(reading) == ("731.5", "GRM", False, None)


@pytest.mark.parametrize(
    "line",
    ["+  731.5[2]g  ", "N     +  731.5[2]g  ", "+ 731.5[2] g  ", "N     + 731.5[2] g  "],
)
def test_digits_not_approved_for_trade_are_part_of_the_value_and_named(line: str) -> None:
    reading = said("sartorius-sbi", f"{line}\r\n".encode())
    assert (reading.value, reading.unit, reading.unverified) == ("731.52", "g", "2")


@pytest.mark.parametrize("line", ["+ 731.5[2] g  ", "+  731.5[2]g  ", "N     + 731.5[2] g  "])
def test_a_bracketed_weight_that_lost_a_character_is_no_weight(line: str) -> None:
    for lost in range(len(line.rstrip())):
        left = line[:lost] + line[lost + 1 :]
        reading = said("sartorius-sbi", left.encode())
        assert reading.value in {None, "731.52"}, left


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("     High     ", ("overload", "")),
        ("      H       ", ("overload", "")),
        ("      HH      ", ("overload", "")),
        ("     Low      ", ("underload", "")),
        ("      LL      ", ("underload", "")),
        ("     --       ", ("info", "blank")),
        ("              ", ("info", "blank")),
        ("     OFF      ", ("info", "off")),
        ("      C       ", ("busy", "calibrating")),
        ("  Cal. Int.   ", ("busy", "calibrating")),
        ("   Err    54  ", ("error", "err 54")),
        ("     E  54    ", ("error", "e 54")),
        ("Stat    Low         ", ("underload", "")),
        ("Stat     ERR 054    ", ("error", "err 054")),
        ("Stat     DIS.ER     ", ("error", "dis.er")),
        ("Stat H", ("overload", "")),
        ("Stat  Low ", ("underload", "")),
        ("Stat  +    731.5 g  ", ("error", "not_understood")),
        ("nRef  +       10 pcs", ("info", "nRef 10")),
        ("Max   +    800.0 g  ", ("info", "Max 800.0")),
        ("+    731.5 xyz", ("error", "unknown_unit xyz")),
        ("     -   5    ", ("error", "not_understood")),
        ("    731.5 g  ", ("error", "not_understood")),
        (" 731.5 g  ", ("error", "not_understood")),
        ("", ("error", "no_response")),
    ],
)
def test_words_and_cut_lines_are_never_a_weight(line: str, expected: tuple[str, str]) -> None:
    assert fault(said("sartorius-sbi", line.encode())) == expected


@pytest.mark.parametrize("label", ["T", "T1", "T2", "PT2", "Cont.T"])
def test_a_tare_is_told_and_never_a_weight(label: str) -> None:
    reading = said("sartorius-sbi", f"{label:<6}+     10.0 g  \r\n".encode())
    assert fault(reading) == ("info", "tare")
    assert reading.tare == "10.0"
