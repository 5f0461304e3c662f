from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from pydantic import TypeAdapter, ValidationError

from edge_contract.gs1 import Gs1
from edge_contract.kinds import EventReversed, PrinterState, ScanRead, TransferDone
from edge_contract.scalars import CountedQuantity, Instant, Quantity

QUANTITY = TypeAdapter(Quantity)
COUNTED = TypeAdapter(CountedQuantity)
INSTANT = TypeAdapter(Instant)


@pytest.mark.parametrize("text", ["1", "0.250", "12345.678901"])
def test_a_quantity_comes_out_as_it_went_in(text: str) -> None:
    assert QUANTITY.dump_python(QUANTITY.validate_python(text), mode="json") == text


@pytest.mark.parametrize(
    "wrong", ["", "0", "-1", "1e3", "1,5", "NaN", "Infinity", "01", "1" * 10, 3, 3.0, None, True]
)
def test_a_quantity_that_makes_no_sense_is_refused(wrong: object) -> None:
    with pytest.raises(ValidationError):
        QUANTITY.validate_python(wrong)


def test_a_count_may_find_nothing() -> None:
    assert COUNTED.validate_python("0") == Decimal(0)


def test_text_that_postgresql_cannot_keep_is_refused_with_the_reason() -> None:
    for model, data in [
        (EventReversed, {"event": str(UUID(int=7)), "reason": "wrong\0bin"}),
        (ScanRead, {"barcode": "1", "symbology": "]\0"}),
        (PrinterState, {"status": "ok", "conditions": ["head\0"]}),
        (TransferDone, {"document": "A", "backorder": "create", "expect": {"last": {"\0": 1}}}),
        (Gs1, {"ais": {"10": "\0"}}),
    ]:
        with pytest.raises(ValidationError, match="NUL character, which no database keeps"):
            model.model_validate(data)


def test_an_instant_is_told_in_utc() -> None:
    assert INSTANT.validate_python("2026-11-23T11:00:00+01:00") == datetime(
        2026, 11, 23, 10, tzinfo=UTC
    )


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValidationError, match="no time zone"):
        INSTANT.validate_python("2026-11-23T11:00:00")
