"""What GS1 symbols say by the grammar, and what is wrong with those that break it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.devices.gs1.checks import check_digit_fits
from edge_agent.devices.gs1.decoding import decode_gs1
from edge_agent.devices.gs1.elements import read_symbol
from edge_agent.devices.gs1.reading import read_gs1

GTIN = "04006381333931"
SSCC = "340123450000000017"
GLN = "4006381333931"


def decode(text: str) -> dict[str, Any]:
    return decode_gs1(text.encode("latin-1"))


def ais(text: str) -> list[list[str]]:
    found = decode(text)
    assert found["ok"], found["error"]
    return found["ais"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("symbol", ["]C1", "]e0", "]e1", "]e2", "]d2", "]Q3", "]J1", ""])
def test_elements_follow_each_other_by_their_lengths_and_separators(symbol: str) -> None:
    text = f"{symbol}01{GTIN}1727013110LOT7\x1d21S-1\x1d3103001250"
    wanted = [["01", GTIN], ["17", "270131"], ["10", "LOT7"], ["21", "S-1"], ["3103", "001250"]]
    assert ais(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        f"00{SSCC}",
        f"02{GTIN}\x1d3712",
        f"01{GTIN}\x1d",
        f"\x1d01{GTIN}",
        "10" + "L" * 20,
        f"410{GLN}420D-70173",
        "42127670173",
        "422276",
        "423276208",
        "7003270131" + "2359",
        "7007270101" + "270131",
        "70112701311530",
        "800827013115",
        "80082701311530",
        "8008270131153059",
        f"8003{'0' + GLN}A1",
        f"8006{GTIN}0102",
        f"253{GLN}DOC1",
        f"255{GLN}",
        "8020" + "REF-7",
        "8001" + "12341234512398",
        "8007GB82WEST12345698765432",
        "80110",
        "4309" + "0123456789" * 2,
        "4321" + "1",
        "43242701019999",
        "91x",
        "99" + "x" * 90,
        "11270100",
    ],
)
def test_elements_of_every_form(text: str) -> None:
    assert ais(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no data"),
        ("\x1d", "no data"),
        ("]C1", "no data"),
        ("ABC", "application identifier"),
        ("05" + GTIN, "application identifier"),
        (f"01{GTIN}7", "application identifier"),
        ("0140063813339", "cannot be"),
        ("01" + "4006381333931\x1d", "cannot be"),
        ("01" + GTIN[:-1] + "X", "cannot be"),
        ("10" + "L" * 21, "cannot be"),
        ("10", "cannot be"),
        ("10LÄT", "cannot be"),
        ("10LOT 7", "cannot be"),
        ("37123456789", "cannot be"),
        ("3103" + "12345", "cannot be"),
        ("7004", "cannot be"),
        ("8008270131153", "cannot be"),
        ("0104006381333930", "check digit"),
        ("00340123450000000018", "check digit"),
        (f"410{GLN[:-1]}0", "check digit"),
        ("17270231", "no date"),
        ("17271301", "cannot be"),
        ("7006270100", "no date"),
        ("70032701312460", "no date"),
        (f"8006{GTIN}0302", "no piece"),
        (f"8006{GTIN}0002", "no piece"),
        ("8004A12345", "company prefix"),
        ("43091800000001" + "0" * 10, "out of range"),
        ("80010000123451239" + "8", "out of range"),
        ("8001" + "12341234512328", "out of range"),
        ("8007GB82WEST12345698765433", "out of range"),
        ("80110123", "out of range"),
        ("]X0ABC", "no symbology identifier"),
        ("]", "no symbology identifier"),
        ("]C", "no symbology identifier"),
        ("]C04006381333931", "no symbology identifier"),
    ],
)
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    found = decode(text)
    assert not found["ok"]
    assert said in found["error"]


def test_what_stands_before_the_error_is_still_there() -> None:
    assert decode(f"01{GTIN}17270231")["ais"] == [["01", GTIN], ["17", "270231"]]
    assert decode(f"01{GTIN}10L\x1d89X")["ais"] == [["01", GTIN], ["10", "L"]]


@pytest.mark.parametrize(
    "text", ["]E04006381333931", "]E496385074", "]I114006381333938", "]E04006381333931|]e010L"]
)
def test_ean_and_itf_symbols_with_a_composite(text: str) -> None:
    assert ais(text) == ([["10", "L"]] if "|" in text else [])


@pytest.mark.parametrize(
    "text",
    [
        *("]E04006381333930", "]E0400638133393", "]E040063813339312", "]E496385075", "]E4"),
        *("]I114006381333931", "]E0400638133393A", "]E04006381333931|]e0", "]E0"),
        "]E04006381333931|10L",
    ],
)
def test_ean_and_itf_symbols_that_are_wrong(text: str) -> None:
    assert not decode(text)["ok"]


@pytest.mark.parametrize("symbol", ["", "]Q1", "]d1", "]J0", "]z0"])
def test_a_digital_link_says_its_key_qualifiers_and_attributes(symbol: str) -> None:
    text = (
        f"{symbol}https://id.example.com/de/01/{GTIN}/10/L%2F7/21/S-1?17=270131&utm=x&3103=000125#a"
    )
    wanted = [["01", GTIN], ["10", "L/7"], ["21", "S-1"], ["17", "270131"], ["3103", "000125"]]
    assert ais(text) == wanted


@pytest.mark.parametrize(
    "path",
    [
        *(f"00/{SSCC}", f"414/{GLN}/254/12", f"414/{GLN}/7040/1ABC"),
        *(f"253/{GLN}7", "8004/4006381A7", "8010/4006381A7/8011/9", f"x/01/y/01/{GTIN}"),
        *(f"01/{GTIN}/22/2A/21/5", f"01/{GTIN}/235/T", f"01/{GTIN}?&&99=A&b&"),
    ],
)
def test_digital_links_of_every_key(path: str) -> None:
    assert ais(f"https://a.example/{path}")


@pytest.mark.parametrize(
    "uri",
    [
        *("https://", "https:///", "https://a", "https://a/", "https://a/page", "https://a/01"),
        *(f"https://a/01/{GTIN}/", f"https://a/01/{GTIN}/89/X", f"https://a/01/{GTIN}?999=X"),
        *(f"https://a/01/{GTIN}/21/S/10/L", f"https://a/01/{GTIN}/235/T/21/S", "https://a/10/L"),
        *(f"https://a/01/{GTIN}?10=", f"https://a/01/{GTIN[:-1]}0", "https://a/01/400638133393"),
        *(f"https://a/01/{GTIN}?17=270231", f"https://a b/01/{GTIN}", f"https://01/{GTIN}"),
    ],
)
def test_addresses_that_are_no_right_link(uri: str) -> None:
    assert not decode(uri)["ok"]


def test_keys_as_words_are_read_and_said_to_be_withdrawn() -> None:
    found = decode(f"https://a.example/gtin/{GTIN}/lot/L7")
    assert found["ais"] == [["01", GTIN], ["10", "L7"]]
    assert "withdrawn" in found["error"]


def test_the_text_under_a_barcode_is_read() -> None:
    assert ais(f"(01){GTIN}(10)L\\(7)(17)270131") == [
        *(["01", GTIN], ["10", "L(7)"], ["17", "270131"])
    ]
    for wrong in (f"(01){GTIN}(10)", f"(01){GTIN}X", "(89)A", "(01)(10)A", "(1)A", "()"):
        assert not decode(wrong)["ok"]


def test_an_item_and_the_composite_above_it_are_one_label() -> None:
    found = read_gs1(f"{GLN}|]e010L7\x1d17270131", "]E0")
    assert found is not None
    assert (found.gtin, found.lot, str(found.expiry)) == (GTIN, "L7", "2027-01-31")
    assert found.warnings == ()


def test_other_text_in_a_plain_symbol_is_right_and_says_nothing() -> None:
    for text in ("]Q1", "]Q1hello", "]d1^x", "]Q1HtTps://a/01/1"):
        assert ais(text) == []


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("10LOT7", "(10) stands without (01) or"),
        (f"02{GTIN}", "(02) stands without (37)"),
        (f"01{GTIN}3712", "(01) and (37) exclude each other"),
        (f"01{GTIN}02{GTIN}", "(01) and (02) exclude each other"),
        ("3103001250", "(3103) stands without (01)"),
        (f"01{GTIN}31030012503102001250", "(3102) and (3103) exclude each other"),
        (f"01{GTIN}250A", "(250) stands without (21)"),
    ],
)
def test_what_belongs_together_is_a_warning_and_no_error(text: str, warning: str) -> None:
    found = decode(text)
    assert found["ok"]
    assert any(said.startswith(warning) for said in found["warnings"]), found["warnings"]


def test_a_label_in_order_has_no_warnings() -> None:
    assert decode(f"00{SSCC}02{GTIN}3712")["warnings"] == []
    assert decode(f"01{GTIN}1727013110L\x1d21S")["warnings"] == []


@given(st.text(alphabet="]CEQdeIJz0123456789\x1dABhtps:/.?=&%|#\xe9", max_size=60))
@settings(max_examples=300, deadline=None)
def test_nothing_that_is_scanned_crashes_it(text: str) -> None:
    for symbol in ("", "]C1", "]Q1https://a/01/", "]E0"):
        json.dumps(decode(symbol + text))


VARIABLE = st.text(alphabet="ABCxyz0129-/_+.", min_size=1, max_size=20)
DIGITS = st.text(alphabet="0123456789", min_size=13, max_size=13)


def _with_check(digits: str) -> str:
    return next(digits + str(last) for last in range(10) if check_digit_fits(digits + str(last)))


def check_elements_come_back(
    read: Callable[[str], list[tuple[str, str]]], gtin: str, lot: str, serial: str
) -> None:
    wanted = [("01", gtin), ("10", lot), ("17", "270131"), ("21", serial)]
    assert read(f"01{gtin}10{lot}\x1d1727013121{serial}") == wanted


@given(gtin=DIGITS.map(_with_check), lot=VARIABLE, serial=VARIABLE)
@settings(max_examples=200, deadline=None)
def test_what_is_written_into_a_symbol_is_read_out_of_it(gtin: str, lot: str, serial: str) -> None:
    check_elements_come_back(lambda text: read_symbol(text).elements, gtin, lot, serial)


def test_a_reader_that_ignores_separators_is_caught_by_the_check_above() -> None:
    def careless(text: str) -> list[tuple[str, str]]:
        return read_symbol(text.replace("\x1d", "")).elements

    with pytest.raises(AssertionError):
        check_elements_come_back(careless, GTIN, "L", "S")


@pytest.mark.parametrize(
    ("short", "gtin"),
    [
        ("04210007", "00042000001007"),
        ("01234565", "00012345000065"),
        ("04252614", "00042100005264"),
    ],
)
def test_upc_e_in_eight_digits_names_the_item_of_its_full_form(short: str, gtin: str) -> None:
    found = read_gs1(short, "]E0")
    assert found is not None
    assert found.gtin == gtin
    assert found.warnings == ()


def test_eight_digits_of_an_ean_8_are_not_taken_for_upc_e() -> None:
    found = read_gs1("96385074", "]E4")
    assert found is not None
    assert found.gtin == "00000096385074"
