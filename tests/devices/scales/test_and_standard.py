import pytest

from tests.devices.scales.trying import fault, said, weight


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ST,+000731.5  g", ("731.5", "GRM", True, None)),
        ("US,-000000.5 kg", ("-0.5", "KGM", False, None)),
        ("QT,+00000048 PC", ("48", "H87", True, None)),
        ("US,+00000048 PC", ("48", "H87", False, None)),
        ("ST,+0000.731 lb", ("0.731", "LBR", True, None)),
        ("ST,+0023.518ozt", ("23.518", "APZ", True, None)),
        ("ST,+000098.7  %", ("98.7", "P1", True, None)),
        ("ST,NT,+0007.35kg", ("7.35", "KGM", True, "net")),
        ("US,GS,-0007.35lb", ("-7.35", "LBR", False, "gross")),
        ("ST,GS,    7.35kg", ("7.35", "KGM", True, "gross")),
        ("ST,G ,+00731.5kg", ("731.5", "KGM", True, "gross")),
        ("US,N ,-00731.5kg", ("-731.5", "KGM", False, "net")),
        ("ST,GS,+00007.3 t", ("7.3", "TNE", True, "gross")),
        ("ST,GS,     7.3,kg", ("7.3", "KGM", True, "gross")),
    ],
)
def test_header_and_unit_tell_what_a_weight_is(
    line: str, expected: tuple[str, str, bool, str | None]
) -> None:
    assert weight(said("and-standard", f"{line}\r\n".encode())) == expected


def test_a_balance_means_tola_by_t_and_tola_has_no_code() -> None:
    line = b"ST,+000012.5  t\r\n"
    reading = said("and-standard", line)
    assert (reading.status, reading.unit, reading.unece) == ("ok", "tola", None)
    assert said("and-standard", line, units={"t": "TNE"}).unece == "TNE"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("OL,+888888.8  g", ("overload", "")),
        ("OL,-888888.8  g", ("underload", "")),
        ("OL,+8888888E+19", ("overload", "")),
        ("OL,GS,        kg", ("overload", "")),
        ("OL,NT,-       kg", ("underload", "")),
        ("UL,GS,        kg", ("underload", "")),
        ("HD,GS,+0007.35kg", ("info", "hold")),
        ("OL,G ,+    .  kg", ("overload", "")),
        ("OL,N ,-    .  kg", ("underload", "")),
        ("ST,T ,+00010.0kg", ("info", "tare")),
        ("ST,PT,+00010.0kg", ("info", "tare")),
        ("\x06", ("info", "acknowledged")),
        ("I", ("busy", "not_executable")),
        ("EC,E00", ("error", "communication_error")),
        ("EC,E01", ("error", "unknown_command")),
        ("EC,E02", ("busy", "not_ready")),
        ("EC,E11", ("motion", "cannot_stabilize")),
        ("EC,E20", ("error", "scale_error E20")),
        ("ST,+000731.5", ("error", "no_unit")),
        ("ST,+000731.5 zz", ("error", "unknown_unit zz")),
        ("ST,+00073,15  g", ("error", "not_understood")),
        ("ST,+31.5  g", ("error", "not_understood")),
        ("T,+000731.5  g", ("error", "not_understood")),
        ("+000731.5  g", ("error", "not_understood")),
        ("ST,+        g", ("error", "not_understood")),
        ("", ("error", "no_response")),
    ],
)
def test_whatever_else_it_says_is_never_a_weight(line: str, expected: tuple[str, str]) -> None:
    assert fault(said("and-standard", line.encode())) == expected


def test_a_decimal_comma_is_taken_where_the_profile_says_so() -> None:
    assert said("and-standard", b"ST,GS,+0007,35kg\r\n", decimal_mark=",").value == "7.35"


def test_a_tare_is_told_and_never_a_weight() -> None:
    reading = said("and-standard", b"ST,TR,+0000.75kg\r\n")
    assert fault(reading) == ("info", "tare")
    assert reading.tare == "0.75"
