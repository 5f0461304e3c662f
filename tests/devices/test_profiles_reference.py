from __future__ import annotations

import json
import re
from pathlib import Path

from edge_agent.devices.profiles.library import ProfileLibrary, parse_profile
from edge_agent.devices.profiles.reference import page, profile_schema, schema_text
from edge_agent.devices.profiles.schema import Profile
from edge_agent.devices.scales.decoding import decode_scale
from edge_agent.devices.scales.encoding import encode

DOCS = Path(__file__).parents[2] / "docs" / "devices"


def test_the_schema_says_what_a_key_means_in_the_words_of_the_model() -> None:
    schema = profile_schema()
    assert schema["properties"]["title"]["description"] == "For people: maker and models."
    assert "dtr" in schema["$defs"]["SerialLine"]["properties"]
    assert json.loads(schema_text()) == schema


def test_unknown_keys_are_mistakes_in_the_schema_too() -> None:
    schema = profile_schema()
    tables = [schema, *(part for part in schema["$defs"].values() if "properties" in part)]
    assert all(table["additionalProperties"] is False for table in tables)


def test_the_page_has_every_key_that_the_shipped_profiles_use() -> None:
    text = page()
    library = ProfileLibrary()
    for name in library.names():
        for key, value in library.get(name).model_dump(exclude_unset=True).items():
            if isinstance(value, dict):
                assert f"## `[{key}]`" in text
                assert all(f"| `{inner}` |" in text for inner in value)


def test_the_page_tells_of_every_table_of_the_model() -> None:
    text = page()
    for key in Profile.model_fields:
        assert f"`{key}`" in text or f"## `[{key}]`" in text


def test_the_profile_that_the_page_on_writing_one_shows_is_in_order_and_decodes() -> None:
    text = (DOCS / "profiles.md").read_text(encoding="utf-8")
    lines = text[text.index('    title = "Acme') : text.index("- **`[serial]`")].splitlines()
    profile = parse_profile("\n".join(line[4:] for line in lines), "acme-3000.toml")
    assert profile.scale is not None
    weight = decode_scale("regex", b"    7.250 kg U\r\n", None, profile.scale)
    assert (weight["value"], weight["stable"]) == ("7.250", False)
    said = encode(profile.scale, value="7.250", unit="kg", stable=False)
    assert said == b"    7.250 kg U\r\n"
    assert decode_scale("regex", encode(profile.scale, value="8.5"), None, profile.scale)["stable"]
    assert decode_scale("regex", b"--OVER--\r\n", None, profile.scale)["status"] == "overload"


def test_every_page_that_the_overview_names_is_there() -> None:
    text = (DOCS / "README.md").read_text(encoding="utf-8")
    missing = [name for name in re.findall(r"\]\(([^)#]+)\)", text) if not (DOCS / name).exists()]
    assert missing == []
