import textwrap
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from edge_agent.devices.profiles.library import ProfileLibrary, parse_profile
from edge_agent.devices.scales.codec import scale_codec
from edge_agent.devices.scales.encoding import encode
from edge_agent.devices.scales.profile import ScaleProfile
from edge_agent.devices.scales.units import UNITS, unit_of
from edge_contract.scalars import UnitCode

PAGE = Path(__file__).parents[3] / "docs" / "devices" / "scales.md"


@pytest.mark.parametrize("name", ["ohaus", "adam"])
def test_each_example_of_a_shipped_pattern_decodes_by_that_pattern(name: str) -> None:
    profile = ProfileLibrary().get(name).scale
    assert profile is not None
    for pattern in profile.patterns:
        reading = scale_codec(profile).decode(pattern.example.encode() + b"\r\n")
        assert reading.status == pattern.status, pattern
        assert reading.detail != "not_understood"


def test_the_profile_on_the_page_of_scales_works() -> None:
    text = PAGE.read_text(encoding="utf-8")
    begin = text.index('    title = "Our old platform scale"')
    block = text[begin : text.index("\nThe first pattern that matches")]
    profile = parse_profile(textwrap.dedent(block), "page.toml").scale
    assert profile is not None
    decode = scale_codec(profile).decode
    moving = decode(encode(profile, value="-7.35", stable=False))
    assert (moving.value, moving.unece, moving.stable) == ("-7.35", "KGM", False)
    assert decode(b"     7.35 lb   N\r\n").mode == "net"
    assert decode(encode(profile, fault="overload")).status == "overload"


def test_every_shipped_scale_profile_is_on_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    library = ProfileLibrary()
    scales = [name for name in library.names() if library.get(name).scale is not None]
    assert len(scales) >= 10
    assert [name for name in scales if name not in text] == []


def test_codes_of_units_are_codes_and_spellings_are_found_in_any_case() -> None:
    for spelling, code in UNITS.items():
        assert TypeAdapter(UnitCode).validate_python(code) == code
        found = unit_of(f" {spelling.upper()} ")
        assert found is not None
        assert found.unece == code


@pytest.mark.parametrize("spelling", ["", "k", "gr", "ton", "tn", "lb oz", "furlong", "kg.", "1"])
def test_a_spelling_that_is_not_known_is_not_guessed(spelling: str) -> None:
    assert unit_of(spelling) is None


def test_a_sites_own_spelling_wins() -> None:
    own = unit_of("T", {"t": "STN"})
    assert own is not None
    assert own.unece == "STN"


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"protocol": "mt-sics", "unit": "stones"}, "not known"),
        ({"protocol": "mt-sics", "command": ""}, "sends nothing"),
        ({"protocol": "mt-sics", "command": "\\q"}, "no escape"),
        ({"protocol": "regex"}, "at least one"),
        ({"protocol": "mt-sics", "units": {"kilo": "kilogramme"}}, "pattern"),
    ],
)
def test_a_profile_that_cannot_work_is_refused(settings: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        ScaleProfile.model_validate(settings)
