from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge_agent.app import check_secrets
from edge_agent.config import AgentConfig, example, load
from edge_agent.secret import read_secret
from edge_contract.errors import NeedsOperator
from edge_contract.toml_errors import ConfigurationError

GOOD = """
[site]
name = "dc1"
agent = "dock-a"

[mqtt]
host = "127.0.0.1"
username = "agent"
password_file = "secrets/mqtt"

[uplink]
url = "https://relay.example.com/edge/"
token_file = "relay-token"

[devices.bench-1]
profile = "mt-sics"
port = "/dev/ttyUSB0"

[devices.zebra-1]
profile = "zebra-zpl"
host = "192.0.2.10"
"""


def written(directory: Path, text: str) -> Path:
    path = directory / "agent.toml"
    path.write_text(text, encoding="utf-8")
    return path


def complaint(directory: Path, text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(written(directory, text), {})
    return str(caught.value)


def test_a_good_file_is_taken_with_paths_relative_to_it(tmp_path: Path) -> None:
    config = load(written(tmp_path, GOOD), {})
    assert config.site.agent == "dock-a"
    assert config.uplink is not None
    assert config.uplink.url == "https://relay.example.com/edge"
    assert config.uplink.token_file == tmp_path / "relay-token"
    assert config.mqtt is not None
    assert config.mqtt.password_file == tmp_path / "secrets/mqtt"
    assert config.devices["bench-1"].name == "bench-1"
    assert config.devices["zebra-1"].profile == "zebra-zpl"
    assert config.profiles == tmp_path / "profiles"
    assert config.outbox.path == Path("/var/lib/warehouse-edge/outbox.db")


def test_a_path_relative_to_the_working_directory_is_found_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, GOOD)
    monkeypatch.chdir(tmp_path)
    config = load(Path("agent.toml"), {})
    assert config.uplink is not None
    assert config.uplink.token_file == tmp_path / "relay-token"


def test_a_systemd_credential_of_that_name_comes_first(tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "relay-token").write_text("x")
    config = load(written(tmp_path, GOOD), {"CREDENTIALS_DIRECTORY": str(credentials)})
    assert config.uplink is not None
    assert config.uplink.token_file == credentials / "relay-token"
    assert config.mqtt is not None
    assert config.mqtt.password_file == tmp_path / "secrets/mqtt"


def test_the_example_is_a_good_file(tmp_path: Path) -> None:
    config = load(written(tmp_path, example()), {})
    assert config.uplink is not None
    assert config.mqtt is not None


def test_every_default_the_example_shows_is_the_default(tmp_path: Path) -> None:
    before, _, after = example().partition("# [devices.bench-1]")
    without_devices = before + after[after.index("[status]") :]
    text = "\n".join(
        line.removeprefix("# ") if " = " in line and not line.startswith("# [") else line
        for line in without_devices.splitlines()
        if "password_file" not in line and "tls" not in line and "username" not in line
    )
    shown = load(written(tmp_path, text.replace("# ca_file", "#ca_file")), {})
    plain = load(written(tmp_path, example()), {})
    assert shown.outbox == plain.outbox
    assert shown.status == plain.status
    assert shown.log == plain.log


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ('name = "dc1"', 'nmae = "dc1"', "agent.toml:3: site.nmae is unknown; did you mean name?"),
        ('name = "dc1"', "", "agent.toml:2: name is missing in [site]."),
        ('name = "dc1"', 'name = "DC 1"', "agent.toml:3: site.name: "),
        ("[uplink]", "[uplnik]", "agent.toml:11: uplnik is unknown; did you mean uplink?"),
        (
            "https://relay",
            "http://relay",
            "agent.toml:11: uplink: url would send the token unencrypted",
        ),
        ("https://relay", "ftp://relay", "agent.toml:12: uplink.url: must be a URL such as"),
        ("https://relay", "https://me:pw@relay", "must not carry credentials"),
        (
            'password_file = "secrets/mqtt"',
            'password = "hunter2"',
            "agent.toml:6: mqtt: password must not stand in this file",
        ),
        (
            'port = "/dev/ttyUSB0"',
            'prot = "/dev/ttyUSB0"',
            "agent.toml:17: devices.bench-1.prot is unknown; did you mean port?",
        ),
        ('"zebra-zpl"', '"zebra-zlp"', "devices.zebra-1: There is no profile 'zebra-zlp'; did you"),
        ('port = "/dev/ttyUSB0"', "", "devices.bench-1: needs port or host: where the device is."),
        (
            'port = "/dev/ttyUSB0"',
            'port = "/dev/ttyUSB0"\noverride.serial.parity = "X"',
            "devices.bench-1: override.serial.parity: Input should be 'N', 'E', 'O'",
        ),
        (
            'port = "/dev/ttyUSB0"',
            'port = "/dev/ttyUSB0"\noverride.serial.baud = 4800',
            "agent.toml:18: devices.bench-1: override.serial.baud is unknown; known here: baudrate",
        ),
        (
            'port = "/dev/ttyUSB0"',
            'port = "COM1"',
            "agent.toml:15: devices.bench-1: port 'COM1' is",
        ),
        (
            "[devices.bench-1]",
            "[devices.Bench-1]",
            "devices.Bench-1: a name has a-z, 0-9, and after its first character also . _ and -",
        ),
        ('host = "192.0.2.10"', 'host = "192.0.2.10"\nname = "x"', "another name: remove it"),
        (
            "[devices.bench-1]",
            '[devices.yard]\nprofile = "generic-json"\ntopic = "wh/+/{device}/event"\n'
            "[devices.bench-1]",
            "devices.yard: the topic wh/+/{device}/event would take what devices publish on wh/v1/",
        ),
        (
            "[devices.bench-1]",
            '[devices.yard]\nprofile = "generic-json"\n[devices.gate]\nprofile = "generic-json"\n'
            "[devices.bench-1]",
            "devices.gate: its topic scanners/{device}/json and that of devices.yard take the same",
        ),
        (
            '[mqtt]\nhost = "127.0.0.1"\nusername = "agent"\npassword_file = "secrets/mqtt"\n',
            '[devices.yard]\nprofile = "generic-json"\n',
            "devices.yard: it publishes on MQTT, and there is no [mqtt].",
        ),
        ('name = "dc1"', "name = ", "agent.toml:3: not TOML: "),
    ],
)
def test_a_mistake_is_named_with_file_line_key_and_remedy(
    tmp_path: Path, before: str, after: str, expected: str
) -> None:
    said = complaint(tmp_path, GOOD.replace(before, after))
    assert expected in said
    assert "hunter2" not in said
    assert "edge-agent config check" in said


def test_a_loopback_relay_needs_no_encryption(tmp_path: Path) -> None:
    for host in ("127.0.0.1:8470", "[::1]:8470", "localhost:8470"):
        load(written(tmp_path, GOOD.replace("https://relay.example.com", f"http://{host}")), {})
    text = GOOD.replace("https://relay", "http://relay")
    load(written(tmp_path, text.replace("token_file", "allow_plain_http = true\ntoken_file")), {})


def test_a_file_that_is_not_there_is_named_with_the_way_to_begin(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="edge-agent config example"):
        load(tmp_path / "none.toml", {})


def test_without_relay_and_broker_a_site_is_still_a_configuration() -> None:
    config = AgentConfig.model_validate({"site": {"name": "s", "agent": "a"}})
    assert config.uplink is None
    assert config.mqtt is None


def secret(path: Path, content: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_a_secret_is_the_first_line_of_its_file(tmp_path: Path) -> None:
    for mode in (0o600, 0o400, 0o640, 0o440):
        path = secret(tmp_path / f"s{mode}", b"s3cret \nsecond line\n", mode)
        assert read_secret(path, "k") == "s3cret"


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        (b"s3cret", 0o644, "chmod 0600"),
        (b"s3cret", 0o620, "chmod 0600"),
        (b"", 0o600, "is empty"),
        (b"\ns3cret", 0o600, "is empty"),
        ("s\N{LATIN SMALL LETTER E WITH ACUTE}cret".encode(), 0o600, "printable ASCII"),
        (b"s3\x00cret", 0o600, "printable ASCII"),
    ],
)
def test_a_secret_that_is_none_is_refused_with_the_key_that_names_it(
    tmp_path: Path, content: bytes, mode: int, words: str
) -> None:
    path = secret(tmp_path / "s", content, mode)
    with pytest.raises(NeedsOperator, match=words) as caught:
        read_secret(path, "uplink.token_file")
    assert "uplink.token_file" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_certificate_of_the_broker_that_is_not_there_is_found_by_the_check(
    tmp_path: Path,
) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(
        '[site]\nname = "dc1"\nagent = "dock-a"\n[mqtt]\ntls = { ca_file = "broker-ca.pem" }\n'
    )
    with pytest.raises(NeedsOperator, match=r"mqtt.tls: .*broker-ca.pem cannot be used: No such"):
        check_secrets(load(path, {}))


def test_a_secret_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NeedsOperator, match="No such file"):
        read_secret(tmp_path / "none", "k")
    assert not os.path.exists(tmp_path / "none")
