from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from cloud_relay.config import ConfigurationError, example, load, parse, read_tokens

TARGET = """
[targets.main]
odoo_url = "http://127.0.0.1:8069"
database = "db"
key_file = "key"
company = 1
warehouses = [1, 2]
"""
SITE = f"""
[sites.a]
target = "main"
token_sha256 = "{"0" * 64}"
"""


def complaint(text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        parse(text, "relay.toml")
    return str(caught.value)


def test_the_example_is_a_good_file() -> None:
    assert parse(example(), "example.toml").listen.port == 8470


def test_the_example_names_every_key() -> None:
    text = example()
    settings = parse(text, "example.toml")
    for section in (settings.targets["main"], settings.limits, settings.inbox, settings.control):
        for key in type(section).model_fields:
            assert f"{key} = " in text, key


def test_the_defaults_shown_in_the_example_are_the_defaults() -> None:
    shown = example().replace("\n# [limits]", "\n[limits]")
    for line in example().splitlines():
        if line.startswith("# ") and " = " in line and line[2:].split(" = ")[0].isidentifier():
            shown = shown.replace(line, line[2:])
    shown = shown.replace("# [monitor]", "[monitor]")
    assert parse(shown, "x").limits == parse(example(), "x").limits
    assert parse(shown, "x").targets == parse(example(), "x").targets


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TARGET + SITE.replace('"main"', '"mian"'), "relay.toml:10: sites.a.target names no tar"),
        (TARGET + "[sites.a]\ntarget = 'main'\n", "relay.toml:8: [sites.a] needs exactly one of"),
        (TARGET + SITE + 'token_file = "x"\n', "needs exactly one of token_file and token_sha256"),
        (TARGET + SITE + "tokn_file = 'x'\n", "did you mean token_file?"),
        (TARGET.replace("[1, 2]", "[1, 1]") + SITE, "relay.toml:7: targets.main.warehouses: nam"),
        (TARGET.replace("[1, 2]", "[]") + SITE, "relay.toml:7: targets.main.warehouses: "),
        (TARGET.replace("http:", "ftp:") + SITE, "relay.toml:3: targets.main.odoo_url: "),
        (TARGET.replace(":8069", ":8069/odoo") + SITE, "relay.toml:3: targets.main.odoo_url: "),
        (
            TARGET + TARGET.replace("main", "other").replace("[1, 2]", "[2]") + SITE,
            "relay.toml:14: targets.other.warehouses: warehouse 2 belongs to target main already",
        ),
        (TARGET, "relay.toml: sites is missing."),
        (SITE, "relay.toml: targets is missing."),
        (TARGET + SITE.replace("sites.a", "sites.'A B'"), "relay.toml:9: sites.A B: a name has"),
    ],
)
def test_a_mistake_is_named_with_file_line_and_key(text: str, expected: str) -> None:
    assert expected in complaint(text)


def test_the_same_warehouse_number_of_another_database_is_another_warehouse() -> None:
    other = TARGET.replace("main", "other").replace('"db"', '"db2"')
    assert set(parse(TARGET + other + SITE, "x").targets) == {"main", "other"}


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no such file"):
        load(tmp_path / "relay.toml")


def site(name: str, file: Path) -> str:
    return f'[sites.{name}]\ntarget = "main"\ntoken_file = "{file}"\n'


def test_tokens_are_kept_as_digests(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("0123456789abcdef\n")
    tokens = read_tokens(parse(TARGET + site("a", token), "x"))
    assert tokens.sites == {"a": hashlib.sha256(b"0123456789abcdef").digest()}


def test_two_sites_with_one_token_are_refused(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("0123456789abcdef")
    with pytest.raises(ConfigurationError, match=r"\[sites.b\] and \[sites.a\] have the same"):
        read_tokens(parse(TARGET + site("a", token) + site("b", token), "x"))


@pytest.mark.parametrize("content", ["", "short", "two words of a token", "ünïcödé-0123456789"])
def test_a_token_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    token = tmp_path / "token"
    token.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError, match="token_file"):
        read_tokens(parse(TARGET + site("a", token), "x"))


def test_a_missing_token_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="does not exist"):
        read_tokens(parse(TARGET + site("a", tmp_path / "none"), "x"))


def test_relative_paths_are_those_of_the_files_folder_wherever_it_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "relay.toml").write_text(
        '[inbox]\npath = "data/inbox.db"\n[control]\nsocket = "/run/relay.sock"\n'
        '[monitor]\ntoken_file = "monitor"\n'
        + TARGET
        + '[sites.a]\ntarget = "main"\ntoken_file = "a"\n'
    )
    monkeypatch.chdir(tmp_path)
    settings = load(Path("etc/relay.toml"))
    assert settings.inbox.path == folder / "data/inbox.db"
    assert settings.control.socket == Path("/run/relay.sock")
    assert settings.monitor is not None
    assert settings.monitor.token_file == folder / "monitor"
    assert settings.targets["main"].key_file == folder / "key"
    assert settings.sites["a"].token_file == folder / "a"
