"""What stands around the data of a read is taken off, and nothing is guessed."""

from typing import Any

import pytest
from pydantic import ValidationError

from edge_agent.devices.scanners.labels import Labels
from edge_agent.devices.scanners.profile import ScannerProfile
from edge_agent.devices.scanners.reads import NoRead, ScannerRead, UnreadableFrame

GTIN = "04006381333931"
SEPARATORS = ["{GS}", "Alt029", "#", "|"]


def label(frame: bytes, **settings: Any) -> object:
    return Labels.of(ScannerProfile.model_validate(settings)).read(frame)


def read(frame: bytes, **settings: Any) -> tuple[str, str | None]:
    found = label(frame, **settings)
    assert isinstance(found, ScannerRead)
    return found.data, found.symbology


def test_prefix_and_suffix_are_taken_off_once() -> None:
    around = {"prefix": ["$", "$$"], "suffix": "%"}
    assert read(b"$$A%", **around) == ("A", None)
    assert read(b"A%%", **around) == ("A%", None)
    assert read(b"A", **around) == ("A", None)


def test_the_aim_identifier_says_the_symbology() -> None:
    assert read(b"]C1010") == ("010", "]C1")
    assert read(b"]E04006381333931") == ("4006381333931", "]E0")
    assert read(b"]C1010", aim_id="absent") == ("]C1010", None)
    assert read(b"]-5") == ("]-5", None)


def test_a_read_without_the_required_identifier_is_set_aside_with_its_bytes() -> None:
    found = label(b"4006381333931", aim_id="required")
    assert isinstance(found, UnreadableFrame)
    assert (found.raw, found.code) == (b"4006381333931", "bad_value")


def test_an_identifier_without_data_is_no_read() -> None:
    assert isinstance(label(b"]C1"), UnreadableFrame)


@pytest.mark.parametrize("where", ["prefix", "suffix"])
def test_the_makers_code_identifier_says_the_symbology(where: str) -> None:
    codes = {"code_id": where, "code_ids": {"d": "]E0", "dM": "", "j": "]C0"}}
    assert read(b"d42" if where == "prefix" else b"42d", **codes) == ("42", "]E0")
    assert read(b"dM42" if where == "prefix" else b"42dM", **codes) == ("42", None)
    assert read(b"x42", **codes) == ("x42", None)


@pytest.mark.parametrize("alias", SEPARATORS)
@pytest.mark.parametrize("identifier", ["", "]C1", "]d2"])
def test_what_stands_for_the_group_separator_becomes_one(alias: str, identifier: str) -> None:
    frame = f"{identifier}01{GTIN}10LOT7{alias}21S-1".encode()
    assert read(frame, group_separators=SEPARATORS)[0] == f"01{GTIN}10LOT7\x1d21S-1"


def test_a_character_that_stands_for_it_stays_in_other_data() -> None:
    for text in ("AISLE#4", "A|B", "10LOT#4", f"]C001{GTIN}10A#B"):
        wanted = text.removeprefix("]C0")
        assert read(text.encode(), group_separators=SEPARATORS)[0] == wanted


def test_a_real_separator_needs_no_alias() -> None:
    assert read(b"10A\x1d21B")[0] == "10A\x1d21B"


@pytest.mark.parametrize(
    ("encoding", "frame"),
    [
        ("utf-8", "Größe".encode()),
        ("latin-1", "Größe".encode("latin-1")),
        ("cp1252", "10 €".encode("cp1252")),
        ("shift_jis", "部品".encode("shift_jis")),
        (["utf-8", "latin-1"], "Größe".encode("latin-1")),
        (["utf-8", "latin-1"], "Größe".encode()),
    ],
)
def test_text_in_the_encoding_of_the_scanner(encoding: object, frame: bytes) -> None:
    assert read(frame, encoding=encoding)[0] in {"Größe", "10 €", "部品"}


def test_bytes_that_are_no_text_are_set_aside_and_never_guessed() -> None:
    found = label(b"LOT\xe9")
    assert isinstance(found, UnreadableFrame)
    assert (found.raw, found.code) == (b"LOT\xe9", "not_utf8")


@pytest.mark.parametrize("said", [b"NOREAD", b"?", b"$NOREAD", b"\x18", b"]C0NOREAD"])
def test_a_read_that_failed_is_no_read(said: bytes) -> None:
    found = label(said, no_read=["NOREAD", "?", "\x18"], prefix="$")
    assert isinstance(found, NoRead)


def test_a_label_that_only_contains_the_word_is_a_read() -> None:
    assert read(b"NOREADER", no_read="NOREAD")[0] == "NOREADER"


def test_replies_of_the_scanner_are_dropped() -> None:
    assert label(b"OK,LON", replies="OK,[A-Z]+") is None
    assert read(b"OK,LON7", replies="OK,[A-Z]+")[0] == "OK,LON7"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"encoding": "utf-9"}, "there is no encoding"),
        ({"encoding": "hex"}, "there is no encoding"),
        ({"encoding": []}, "names no encoding"),
        ({"replies": "("}, "no regular expression"),
        ({"code_id": "prefix"}, "go together"),
        ({"code_ids": {"a": "]A0"}}, "go together"),
    ],
)
def test_a_mistake_in_the_profile_is_said_in_a_sentence(
    settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError, match=said):
        ScannerProfile.model_validate(settings)
