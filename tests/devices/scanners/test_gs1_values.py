"""What the identifiers ask of their values, what links ask of their parts, and hostile symbols."""

import time
from typing import Any

import pytest
from biip.gs1_application_identifiers import GS1ApplicationIdentifier

from edge_agent.devices.gs1 import elements
from edge_agent.devices.gs1.checks import check_digit_fits, check_pair_fits
from edge_agent.devices.gs1.decoding import decode_gs1
from edge_agent.devices.gs1.reading import read_gs1

GTIN = "09506000134352"
GLN = "9506000134376"
LINK = f"https://id.example.com/01/{GTIN}"


def decode(text: str) -> dict[str, Any]:
    return decode_gs1(text.encode("latin-1"))


@pytest.mark.parametrize(
    ("ai", "right", "wrong"),
    [
        ("30", "7", ""),
        ("8013", "1987654Ad4X4bL5ttr2310c2K", "1987654Ad4X4bL5ttr2310c3K"),
        ("7023", "9506000A1", "95A1"),
        ("8004", "9506", "950"),
        ("401", "9506A", "9"),
        ("421", "276ABC", "000ABC"),
        ("422", "756", "999"),
        ("423", "276040", "276000"),
        ("426", "040", "001"),
        ("4307", "DE", "XX"),
        ("4317", "CH", "ch"),
        ("7030", "999PROC", "000PROC"),
        ("3912", "978100", "000100"),
        ("3932", "756100", "001100"),
        ("7040", "1AB-", "1AB+"),
        ("7241", "10", "11"),
        ("7241", "80", "00"),
        ("7250", "20000229", "19000229"),
        ("7252", "9", "3"),
        ("4300", "A%20B", "A%2"),
        ("7256", "M%C3%BCller", "M%ZZller"),
        ("8110", "0106141416543213150110120", "01X"),
    ],
)
def test_values_are_held_to_their_identifier(ai: str, right: str, wrong: str) -> None:
    assert decode(ai + right)["ok"], decode(ai + right)
    assert not decode(ai + wrong)["ok"]


def test_a_check_pair_notices_every_single_change_and_swap() -> None:
    text = "1987654Ad4X4bL5ttr2310c2K"
    assert check_pair_fits(text)
    for at, character in enumerate(text[:-2]):
        other = "7" if character != "7" else "8"
        assert not check_pair_fits(text[:at] + other + text[at + 1 :])
    for at in range(len(text) - 3):
        swapped = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
        assert swapped == text or not check_pair_fits(swapped)


def test_a_wrong_check_digit_is_no_right_symbol_and_a_warning_that_travels() -> None:
    wrong = GTIN[:-1] + "3"
    assert not check_digit_fits(wrong)
    for text in (f"01{wrong}", f"]C101{wrong}10A", f"]E0{GLN[:-1]}0"):
        found = decode(text)
        assert not found["ok"]
        assert any("check digit" in warning for warning in found["warnings"])
    event = read_gs1(f"01{wrong}10A", "]C1")
    assert event is not None
    assert (event.gtin, event.lot) == (wrong, "A")
    assert any("check digit" in warning for warning in event.warnings)


def test_an_identifier_may_stand_twice_with_one_value_and_not_with_two() -> None:
    assert decode(f"01{GTIN}10A\x1d01{GTIN}")["ok"]
    found = decode(f"01{GTIN}10A\x1d10B")
    assert not found["ok"]
    assert "says both" in found["error"]
    assert found["ais"] == [["01", GTIN], ["10", "A"], ["10", "B"]]
    assert any("says both" in warning for warning in found["warnings"])


def test_a_separator_before_the_first_element_is_said_where_the_symbol_is_known() -> None:
    assert decode(f"\x1d01{GTIN}")["ok"]  # it stands for an FNC1 that no identifier tells of
    found = decode(f"]C1\x1d01{GTIN}")
    assert (found["ok"], found["ais"]) == (False, [["01", GTIN]])


@pytest.mark.parametrize("symbol", ["]Q0", "]Q2", "]Q4", "]d0", "]d3", "]J2", "]z0", "]C0", "]A0"])
def test_symbols_that_gs1_does_not_use_are_said_to_be_none(symbol: str) -> None:
    assert "no symbology identifier" in decode(f"{symbol}ABC")["error"]


def test_plus_is_itself_in_the_path_of_a_link_and_a_space_in_its_query() -> None:
    assert decode(f"{LINK}/10/A+B")["ais"] == [["01", GTIN], ["10", "A+B"]]
    assert decode(f"{LINK}?240=A%2BB")["ais"] == [["01", GTIN], ["240", "A+B"]]
    assert not decode(f"{LINK}?240=A+B")["ok"]
    event = read_gs1(f"{LINK}/10/A+B", "]Q1")
    assert event is not None
    assert event.lot == "A+B"


@pytest.mark.parametrize(
    ("link", "said"),
    [
        (f"{LINK}?10=A", "belongs in the path"),
        (f"{LINK}/10/A?22=B", "no attribute"),
        (f"{LINK}/10/A?01={GTIN}", "twice"),
        (f"{LINK}?17=271231&17=271231", "twice"),
        (f"{LINK}?8020=A", "no attribute"),
        (f"https://a.example/01/{GTIN[1:]}", "in a path it has 14"),
        (f"https://user@a.example/01/{GTIN}", "no domain"),
        (f"https://a_b.example/01/{GTIN}", "no domain"),
    ],
)
def test_what_is_out_of_place_in_a_link_is_said(link: str, said: str) -> None:
    assert said in (decode(link)["error"] or "")


def test_a_link_that_is_odd_still_names_its_item_on_an_event() -> None:
    for link in (f"{LINK}?10=A", f"{LINK}/10/A?17=271399", f"Https://a.example/gtin/{GTIN}/lot/A"):
        event = read_gs1(link)
        assert event is not None, link
        assert event.gtin == GTIN
        assert event.warnings
    for other in ("https://a.example/01/7", f"https://a.example/01/{GTIN[:-1]}0", "https://a/x"):
        assert read_gs1(other) is None


def test_an_attribute_of_a_content_may_stand_in_the_query() -> None:
    sscc = "340123450000000017"
    assert check_digit_fits(sscc)
    assert decode(f"https://a.example/00/{sscc}?02={GTIN}&37=12&10=A")["ok"]


@pytest.mark.parametrize(
    ("elements", "said"),
    [
        (f"410{GLN[:-1]}0", "check digit of (410)"),
        ("422999", "(422) 999"),
        ("422276\x1d426276", "(422) and (426) exclude"),
        ("70032702301200", "70032702301200"),
        ("3712", "(37) stands without (00)"),
    ],
)
def test_every_rule_that_a_scan_breaks_travels_as_a_warning(elements: str, said: str) -> None:
    event = read_gs1(f"01{GTIN}10A\x1d{elements}", "]C1")
    assert event is not None
    assert (event.gtin, event.lot) == (GTIN, "A")
    assert any(said in warning for warning in event.warnings)


def test_a_right_scan_has_no_warning() -> None:
    for text in (
        f"01{GTIN}1727123110A\x1d21S",
        f"01{GTIN}3103001250",
        f"(01){GTIN}(10)A(17)271231",
    ):
        event = read_gs1(text)
        assert event is not None
        assert (event.gtin, event.warnings) == (GTIN, ())


def test_an_item_with_an_add_on_is_the_item() -> None:
    for digits, gtin in (
        ("950600013437612", "09506000134376"),
        ("950600013437612345", "09506000134376"),
        ("03600029145212", "00036000291452"),
    ):
        event = read_gs1(digits, "]E3")
        assert event is not None
        assert (event.gtin, event.warnings) == (gtin, ())
    assert read_gs1("12", "]E1") is None
    assert read_gs1("12345", "]E2") is None


def test_text_in_brackets_that_is_no_symbol_is_none() -> None:
    for text in ("(01)7", f"(01){GTIN}(89)X", "(0", "(01", "(020) 4545", f"(01){GTIN} (10)A"):
        assert read_gs1(text) is None


HOSTILE = (
    "7256" + "%41%41" * 1200 + "~",
    "4300" + "%41" * 2000 + "\x00",
    "91" + "%" * 8000,
    "2012" * 2000,
    "\x1d" * 8000,
    "https://a/" + "10/A/" * 1600 + f"01/{GTIN}",
    f"https://a/01/{GTIN}" + "/10/A" * 1600,
    f"https://a/01/{GTIN}?" + "&17=271231" * 800,
    f"https://a/01/{GTIN}?7256=" + "%41%41" * 1200 + "~",
    "(" * 8000,
    "(10)" + "\\(" * 4000,
    "(10)A" * 1600,
    "2012" * 1_000_000,
    "https://" + "/" * 4_000_000,
)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_symbol_takes_long(text: str) -> None:
    began = time.process_time()
    decode(text)
    read_gs1(text)
    read_gs1(text, "]C1")
    assert time.process_time() - began < 2


def test_the_branch_that_took_years_is_in_the_library_and_not_in_what_we_match() -> None:
    theirs = GS1ApplicationIdentifier.extract("7256").pattern
    assert elements._SECOND_BRANCH in theirs
    ours = elements._identifier("7256")
    assert ours is not None
    assert "|" not in ours.pattern.pattern
