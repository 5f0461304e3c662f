from __future__ import annotations

import pytest
from pydantic import BaseModel, ConfigDict

from edge_contract.toml_errors import ConfigurationError, known_keys, line_of, parse_toml


class Listen(BaseModel):
    model_config = ConfigDict(extra="forbid")
    host: str = "127.0.0.1"
    port: int


class Site(BaseModel):
    model_config = ConfigDict(extra="forbid")
    token: str | None = None
    pin: int = 0


class Whole(BaseModel):
    model_config = ConfigDict(extra="forbid")
    listen: Listen
    sites: dict[str, Site] = {}
    printers: list[Listen] = []


def complaint(text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        parse_toml(text, "relay.toml", Whole)
    return caught.value.message


GOOD = '# a comment\n[listen]\nport = 8470\n\n[sites."dc1"]\ntoken = "x"\n'


def test_a_good_file_is_taken() -> None:
    assert parse_toml(GOOD, "relay.toml", Whole).sites["dc1"].token == "x"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[listen]\nprot = 1\nport = 2\n", "relay.toml:2: listen.prot is unknown; did you mean "),
        ("[listen]\nport = 2\nzzz = 1\n", "relay.toml:3: listen.zzz is unknown; known here: host"),
        ("\n[listen]\nhost = 'x'\n", "relay.toml:2: port is missing in [listen]."),
        ("[listen]\nport = 'x'\n", "relay.toml:2: listen.port: Input should be a valid integer"),
        ("sites = {}\n", "relay.toml: listen is missing."),
        ("[listen]\nport =\n", "relay.toml:2: not TOML: Invalid value (column 7)."),
        ("[listen\n", "relay.toml:1: not TOML: "),
        (
            "[listen]\nport = 1\n[sites.a]\n[sites.b]\npni = 3\n",
            "relay.toml:5: sites.b.pni is unknown; did you mean pin?",
        ),
        (
            "listen.port = 1\n[[printers]]\nport = 1\n[[printers]]\nport = 1\nhots = 2\n",
            "relay.toml:6: printers.1.hots is unknown; did you mean host?",
        ),
        ("lisen.port = 1\n[listen]\nport=1", "relay.toml:1: lisen is unknown; did you mean listen"),
    ],
)
def test_a_mistake_is_named_with_its_line(text: str, expected: str) -> None:
    assert expected in complaint(text)


def test_every_mistake_is_named_at_once() -> None:
    assert len(complaint("[listen]\nport = 'x'\nzzz = 1\n[sites.a]\nyyy = 1\n").splitlines()) == 3


def test_a_secret_is_not_repeated() -> None:
    assert "4711" not in complaint("[listen]\nport = 1\n[sites.a]\ntoken = 4711\n")


def test_a_line_is_found_by_the_nearest_table() -> None:
    assert line_of("[a.b]\nc = 1\n", ["a", "b", "d"]) == 1
    assert line_of("[a.b]\nc = 1\n", ["x"]) is None


def test_known_keys_follow_tables() -> None:
    assert known_keys(Whole, ["sites", "anything"]) == ["token", "pin"]
