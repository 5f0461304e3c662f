from __future__ import annotations

import json

from edge_agent.devices.profiles.library import ProfileLibrary
from edge_agent.devices.profiles.reference import page, profile_schema, schema_text
from edge_agent.devices.profiles.schema import Profile


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
