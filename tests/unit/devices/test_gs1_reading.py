from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.devices.gs1.reading import read_gs1
from edge_contract.gs1 import Gs1

GTIN = "04006381333931"


def read(barcode: str) -> Gs1:
    found = read_gs1(barcode)
    assert found is not None
    return found


def test_a_label_with_item_lot_serial_and_dates() -> None:
    gs1 = read(f"]C101{GTIN}172701311526123110LOT7\x1d21S-1")
    assert (gs1.gtin, gs1.lot, gs1.serial) == (GTIN, "LOT7", "S-1")
    assert (gs1.expiry, gs1.best_before) == (date(2027, 1, 31), date(2026, 12, 31))
    assert gs1.warnings == ()


def test_a_pallet_label_with_contents_and_count() -> None:
    gs1 = read(f"]C100340123450000000017\x1d02{GTIN}3712")
    assert (gs1.sscc, gs1.content, gs1.count) == ("340123450000000017", GTIN, Decimal(12))


@pytest.mark.parametrize(
    ("element", "weight", "unit"),
    [
        ("3103001234", "1.234", "KGM"),
        ("3202000500", "5.00", "LBR"),
        ("3302001050", "10.50", "KGM"),
        ("3151000025", "2.5", "LTR"),
    ],
)
def test_a_measure_keeps_its_unit(element: str, weight: str, unit: str) -> None:
    gs1 = read(f"]C101{GTIN}{element}")
    assert (gs1.weight, gs1.weight_uom) == (Decimal(weight), unit)


def test_a_net_weight_goes_before_a_gross_one() -> None:
    gs1 = read(f"]C101{GTIN}33030020003103001500")
    assert gs1.weight == Decimal("1.500")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "]",
        "]C",
        "]C1",
        "]J0",
        "]XX1234",
        "4006381333931",
        "96385074",
        "04006381333931",
        "10LOT7",
        "10614141000415",
        "WH-STOCK-A1",
        "7032069804988",
        "01-02-03",
        "https://example.com/a/page",
        "http://",
        "]Q1https://example.com/01/4",
    ],
)
def test_what_is_not_clearly_gs1_is_no_gs1(text: str) -> None:
    assert read_gs1(text) is None


@pytest.mark.parametrize("symbol", ["]C1", "]d2", "]Q3", "]e0", "]J1", "", "\x1d", "]C1\x1d"])
def test_the_same_elements_in_any_symbol(symbol: str) -> None:
    gs1 = read(f"{symbol}01{GTIN}10LOT7\x1d3012")
    assert (gs1.gtin, gs1.lot, gs1.count) == (GTIN, "LOT7", Decimal(12))


@pytest.mark.parametrize("symbol", ["", "]Q1", "]d1", "]Q3"])
def test_a_digital_link_with_or_without_its_symbol(symbol: str) -> None:
    gs1 = read(f"{symbol}https://id.example.com/01/{GTIN}/10/LOT7?17=270131")
    assert (gs1.gtin, gs1.lot, gs1.expiry) == (GTIN, "LOT7", date(2027, 1, 31))


@pytest.mark.parametrize(
    ("text", "gtin"), [("]E04006381333931", GTIN), ("]E496385074", "00000096385074")]
)
def test_an_ean_with_its_symbology_identifier_names_its_item(text: str, gtin: str) -> None:
    gs1 = read(text)
    assert (gs1.gtin, gs1.ais) == (gtin, {})


def test_a_wrong_check_digit_is_a_warning() -> None:
    gs1 = read("]C10104006381333930")
    assert gs1.gtin == "04006381333930"
    assert "check digit" in gs1.warnings[0]


def test_a_lone_lot_is_a_warning() -> None:
    gs1 = read("]C110LOT7")
    assert gs1.lot == "LOT7"
    assert gs1.warnings == ("(10) stands without (01) or (02) or (8006) or (8026)",)


def test_what_cannot_be_read_is_skipped_and_said() -> None:
    gs1 = read(f"]C101{GTIN}17269931" + "10LOT7\x1d891234\x1d21S-1")
    assert (gs1.gtin, gs1.lot, gs1.serial, gs1.expiry) == (GTIN, "LOT7", "S-1", None)
    assert gs1.warnings == ("cannot read '17269931'", "cannot read '891234'")


def test_a_lot_that_is_too_long_is_not_cut_short() -> None:
    gs1 = read(f"]C101{GTIN}10" + "L" * 25)
    assert gs1.lot is None
    assert gs1.warnings


def test_two_lots_on_one_label_are_no_lot() -> None:
    gs1 = read(f"]C101{GTIN}10A\x1d10B")
    assert gs1.lot is None
    assert "neither is used" in gs1.warnings[0]


@given(st.text(alphabet="]CEQdeJ0123456789\x1dABhtps:/.?=", max_size=60))
@settings(max_examples=50, deadline=None)
def test_nothing_that_is_scanned_raises(text: str) -> None:
    for symbol in ("", "]C1", "]Q3"):
        read_gs1(symbol + text)
