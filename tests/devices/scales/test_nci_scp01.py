import pytest

from edge_agent.devices.scales.nci_scp01 import NciFrames
from tests.devices.scales.trying import fault, said, weight


def frame(field: str, status: str) -> bytes:
    return f"\n{field}\r\n{status}\r\x03".encode()


@pytest.mark.parametrize(
    ("field", "status", "expected"),
    [
        ("0007.35kg", "00", ("7.35", "KGM", True, None)),
        ("0007.35LB", "S00", ("7.35", "LBR", True, None)),
        ("  7.350lb", "10", ("7.350", "LBR", False, None)),
        ("-007.35oz", "00", ("-7.35", "ONZ", True, None)),
        ("-  7.35kg", "20", ("-7.35", "KGM", True, None)),
        (" 1250g ", "00", ("1250", "GRM", True, None)),
        ("0007.35kg", "0p0", ("7.35", "KGM", True, "gross")),
        ("0007.35kg", "1p4", ("7.35", "KGM", False, "net")),
        ("0007.35kg", "0pt0", ("7.35", "KGM", True, "net")),
    ],
)
def test_a_weight_comes_with_its_status(
    field: str, status: str, expected: tuple[str, str, bool, str | None]
) -> None:
    assert weight(said("nci-scp01", frame(field, status))) == expected


@pytest.mark.parametrize(
    ("field", "status", "expected"),
    [
        ("^^^^^^^lb", "00", ("overload", "")),
        ("_______kg", "00", ("underload", "")),
        ("-------kg", "00", ("error", "zero_error")),
        ("- - - -kg", "00", ("error", "zero_error")),
        ("0007.35kg", "02", ("overload", "")),
        ("0007.35kg", "01", ("underload", "")),
        ("0007.35kg", "03", ("overload", "")),
        ("-------kg", "0r0", ("overload", "")),
        ("0007.35kg", "40", ("error", "ram_error")),
        ("0007.35kg", "90", ("error", "eeprom_error")),
        ("0007.35kg", "04", ("error", "rom_error")),
        ("0007.35kg", "08", ("error", "faulty_calibration")),
        ("0007.35kg", "0p8", ("error", "initial_zero_error")),
        ("kg", "00", ("info", "unit")),
        ("  1LB 05.2OZ", "S00", ("error", "compound_unit lb oz")),
        ("012345MM", "00", ("error", "raw_counts")),
        ("0007.35xy", "00", ("error", "unknown_unit xy")),
        ("0007.35", "00", ("error", "not_understood")),
        ("0007.35kg", "0", ("error", "not_understood")),
        ("0007.35kg", "0p", ("error", "not_understood")),
        ("0007.35kg", "000", ("error", "not_understood")),
        ("0007.35kg", "xx", ("error", "not_understood")),
    ],
)
def test_the_worst_of_field_and_status_wins(
    field: str, status: str, expected: tuple[str, str]
) -> None:
    assert fault(said("nci-scp01", frame(field, status))) == expected


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"\n?\r\x03", ("error", "unknown_command")),
        (b"\n00\r\x03", ("info", "ready")),
        (b"\nS20\r\x03", ("info", "zero")),
        (b"\nS10\r\x03", ("motion", "")),
        (b"\n02\r\x03", ("overload", "")),
        (b"\n11\r\x03", ("underload", "")),
        (b"\n0p8\r\x03", ("error", "initial_zero_error")),
        (b"\n0007.35kg\r\x03", ("error", "no_status")),
        (b"\x03", ("error", "not_understood")),
    ],
)
def test_a_status_or_a_weight_alone_is_no_weight(sent: bytes, expected: tuple[str, str]) -> None:
    assert fault(said("nci-scp01", sent, "S")) == expected


def test_what_is_left_of_a_cut_frame_is_not_glued_to_the_next() -> None:
    whole = frame("0007.35kg", "00")
    for cut in range(1, len(whole)):
        framer = NciFrames()
        assert framer.feed(whole[cut:] + whole)[-1] == whole
        framer = NciFrames()
        assert framer.feed(whole[:cut] + whole)[-1] == whole
