from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.devices.escapes import escaped, unescaped
from edge_agent.devices.profiles.checking import checked
from edge_agent.devices.profiles.library import (
    ProfileLibrary,
    check_name,
    parse_profile,
    site_folder,
)
from edge_contract.toml_errors import ConfigurationError

GOOD = """
title = "A scale of ours"

[serial]
baudrate = 4800

[scale]
protocol = "mt-sics"

[discovery]
usb = ["0403:6001"]
probe = "I4\\r\\n"
answers = 'I4 A'
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "profiles"
    made.mkdir()
    return made


def complaint(text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        parse_profile(text, "ours.toml")
    return str(caught.value)


def test_every_profile_that_comes_along_is_in_order_and_well_named() -> None:
    library = ProfileLibrary()
    assert {"mt-sics", "zebra-zpl"} <= set(library.names())
    for name, origin in library.names().items():
        assert origin == "shipped"
        assert check_name(name) == ""
        assert library.get(name).transports


def test_a_site_s_own_profile_replaces_the_one_of_that_name(folder: Path) -> None:
    library = ProfileLibrary(folder)
    assert library.get("mt-sics").title != "A scale of ours"
    (folder / "mt-sics.toml").write_text(GOOD)
    assert library.names()["mt-sics"] == str(folder / "mt-sics.toml")
    assert library.get("mt-sics").title == "A scale of ours"
    assert ProfileLibrary().get("mt-sics").title != "A scale of ours"


def test_an_unknown_profile_is_answered_with_the_one_that_was_meant() -> None:
    with pytest.raises(ConfigurationError, match="did you mean mt-sics"):
        ProfileLibrary().get("mtsics")
    with pytest.raises(ConfigurationError, match="profiles list"):
        ProfileLibrary().get("../../etc/passwd")


def test_the_site_s_folder_is_found_though_the_rest_of_the_file_is_wrong(tmp_path: Path) -> None:
    config = tmp_path / "agent.toml"
    config.write_text('profiles = "kinds"\nnonsense = 1\n')
    assert site_folder(config) == tmp_path / "kinds"
    config.write_text("this is no TOML")
    assert site_folder(config) == tmp_path / "profiles"
    with pytest.raises(ConfigurationError, match="no configuration"):
        site_folder(tmp_path / "other.toml")


def test_a_mistake_is_named_with_its_line_and_what_was_meant() -> None:
    assert "ours.toml:5: serial.baudrat is unknown; did you mean baudrate?" in complaint(
        GOOD.replace("baudrate", "baudrat")
    )


def test_a_probe_and_its_answer_go_together_and_must_be_usable() -> None:
    assert "probe and answers go together" in complaint(GOOD.replace("answers = 'I4 A'", ""))
    assert "is no regular expression" in complaint(GOOD.replace("'I4 A'", "'I4 ('"))
    assert "is no escape" in complaint(GOOD.replace('"I4\\r\\n"', "'I4\\q'"))
    assert "sends nothing" in complaint(GOOD.replace('"I4\\r\\n"', "''"))


def test_a_check_finds_every_mistake_with_its_line_and_says_what_it_replaces(folder: Path) -> None:
    file = folder / "mt-sics.toml"
    file.write_text(GOOD)
    found = checked(file)
    assert found.document() | {"file": ""} == {
        "file": "",
        "name": "mt-sics",
        "ok": True,
        "title": "A scale of ours",
        "class": "scale",
        "replaces_shipped": True,
        "errors": [],
        "remedy": "",
    }
    file.write_text(GOOD.replace("baudrate", "baudrat").replace('"mt-sics"', '"mt-six"'))
    found = checked(file)
    assert [mistake.line for mistake in found.mistakes] == [5, 8]
    assert not found.document()["ok"]
    assert "profiles check" in found.remedy


def test_a_file_that_no_configuration_could_name_is_a_mistake(folder: Path) -> None:
    for name in ("Our Scale.toml", "ours.txt"):
        file = folder / name
        file.write_text(GOOD)
        assert "rename" in checked(file).mistakes[0].message
    missing = checked(folder / "none.toml")
    assert "cannot be read" in missing.mistakes[0].message


@given(st.binary(max_size=60))
def test_bytes_are_shown_so_that_they_can_be_written_again(data: bytes) -> None:
    shown = escaped(data)
    assert shown.isascii()
    assert shown.isprintable()
    assert unescaped(shown) == data


def test_a_string_that_toml_has_unescaped_already_stays_as_it_is() -> None:
    assert unescaped("I4\r\n") == b"I4\r\n"
    assert unescaped("\\x1b!?\\e") == b"\x1b!?\x1b"
    for bad in ("\\", "\\x1", "\\q"):
        with pytest.raises(ValueError, match="is no escape"):
            unescaped(bad)
