from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edge_agent.cli import main
from edge_agent.devices import decoding


@dataclass
class Ran:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The console script in this process."""

    def command(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["edge-agent", *map(str, arguments)])
        status: object = 0
        try:
            main()
        except SystemExit as end:
            status = end.code
        captured = capsys.readouterr()
        return Ran(status if isinstance(status, int) else 0, captured.out, captured.err)

    return command


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "profiles").mkdir()
    file = tmp_path / "agent.toml"
    file.write_text(
        '[site]\nname = "dc1"\nagent = "dock-a"\n'
        '[devices.bench-1]\nprofile = "mt-sics"\nport = "/dev/ttyUSB7"\nstation = "bench"\n'
        '[devices.zebra-1]\nprofile = "zebra-zpl"\nhost = "192.0.2.10"\n'
    )
    return file


OURS = """
title = "A scale of ours"
[serial]
[scale]
protocol = "mt-sics"
unit = "lb"
"""


def test_profiles_are_listed_with_those_of_the_site(run: Run, config: Path) -> None:
    (config.parent / "profiles" / "ours.toml").write_text(OURS)
    rows = {row["name"]: row for row in run("profiles", "list", "--json", "-c", config).json}
    assert rows["mt-sics"]["origin"] == "shipped"
    assert rows["ours"]["origin"] == str(config.parent / "profiles" / "ours.toml")
    assert rows["ours"]["transports"] == ["serial"]
    table = run("profiles", "list", "--class", "scale", "-c", config).out
    assert "A scale of ours" in table
    assert "zebra-zpl" not in table


def test_a_broken_profile_is_shown_as_such_and_hides_no_other(run: Run, config: Path) -> None:
    (config.parent / "profiles" / "ours.toml").write_text("title = 7")
    done = run("profiles", "list", "-c", config)
    assert done.status == 0
    assert "cannot be used" in done.out
    assert "mt-sics" in done.out


def test_a_profile_is_shown_as_toml_that_is_a_profile_again(
    run: Run, config: Path, tmp_path: Path
) -> None:
    done = run("profiles", "show", "mt-sics", "-c", config)
    assert done.out.startswith("# mt-sics: comes with the agent\n")
    copy = tmp_path / "copy.toml"
    copy.write_text(done.out)
    assert run("profiles", "check", copy).status == 0


def test_an_unknown_profile_ends_with_2_and_names_the_one_meant(run: Run, config: Path) -> None:
    done = run("profiles", "show", "mtsics", "-c", config)
    assert done.status == 2
    assert "did you mean mt-sics?" in done.err


def test_a_check_names_file_line_and_remedy_and_ends_with_2(run: Run, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text(OURS)
    bad.write_text(OURS.replace("unit", "unti"))
    done = run("profiles", "check", good, bad)
    assert done.status == 2
    assert f"{good} is in order" in done.out
    assert f"{bad}:6: scale.unti is unknown; did you mean unit" in done.err
    assert "profiles check" in done.err
    (first, second) = run("profiles", "check", "--json", good, bad).json
    assert (first["ok"], second["ok"]) == (True, False)
    assert second["errors"][0]["line"] == 6


def test_the_schema_is_printed_for_editors(run: Run) -> None:
    assert run("profiles", "schema").json["title"] == "warehouse-edge device profile"


def test_devices_are_listed_with_where_they_are(run: Run, config: Path) -> None:
    rows = run("devices", "list", "--json", "-c", config).json
    assert [(row["name"], row["class"], row["address"]) for row in rows] == [
        ("bench-1", "scale", "/dev/ttyUSB7"),
        ("zebra-1", "printer", "192.0.2.10:9100"),
    ]
    assert "bench-1" in run("devices", "list", "-c", config).out


def test_discovery_prints_sections_alone_when_asked_and_ends_well_with_none(
    run: Run, config: Path
) -> None:
    done = run("devices", "discover", "--toml", "--seconds", 0, "-c", config)
    assert done.status == 0
    tomllib.loads(done.out)
    found = run("devices", "discover", "--json", "--seconds", 0, "-c", config).json
    assert set(found) == {"found", "troubles"}
    assert run("devices", "discover", "--profile", "nonsense", "-c", config).status == 2


def test_announcing_a_broker_needs_one_and_addresses_of_this_host(run: Run, config: Path) -> None:
    base = config.read_text()
    config.write_text(f"{base}[discovery]\nadvertise = true\n")
    done = run("config", "check", "-c", config)
    assert done.status == 2
    assert "advertise needs [mqtt]" in done.err
    config.write_text(f'{base}[mqtt]\n[discovery]\nadvertise = true\ninterfaces = ["eth0"]\n')
    assert "'eth0' is no IPv4 address" in run("config", "check", "-c", config).err
    config.write_text(f"{base}[mqtt]\n[discovery]\nadvertise = true\n")
    assert run("config", "check", "-c", config).status == 0


def test_a_frame_is_decoded_to_one_json_object(run: Run) -> None:
    frame = b"S S      7.250 kg\r\n".hex()
    found = run("decode", "--protocol", "mt-sics", "--hex", frame).json
    assert (found["value"], found["unit"], found["stable"]) == ("7.250", "kg", True)


def test_every_answer_says_whether_it_made_sense(run: Run) -> None:
    def status(protocol: str, frame: bytes, *more: str) -> str:
        done = run("decode", "--protocol", protocol, "--hex", frame.hex(), *more)
        return str(done.json["status"])

    assert status("gs1", b"]C10104006381333931") == "ok"
    assert status("gs1", b"no GS1") == "error"
    assert status("scanner", b"PICK-7\r") == "ok"
    assert status("scanner", b"{", "--profile", "generic-json") == "error"
    assert status("zpl-sgd", b'"7"', "--command", '! U1 getvar "a.b"') == "ok"
    assert status("zpl-sgd", b"7") == "error"


def test_hex_may_be_written_as_people_paste_it(run: Run) -> None:
    spaced = run("decode", "-p", "mt-sics", "--hex", "0x53 0x20:49-0d,0A").json
    assert spaced == run("decode", "-p", "mt-sics", "--hex", "5320490d0a").json
    assert spaced["status"] == "busy"


@pytest.mark.parametrize("protocol", [name for name in decoding.PROTOCOLS if name != "regex"])
@pytest.mark.parametrize("frame", ["", "00", "ff" * 40, "0203", "0d0a", "3f3f3f"])
def test_nonsense_and_silence_end_with_0_in_every_protocol(
    run: Run, protocol: str, frame: str
) -> None:
    done = run("decode", "--protocol", protocol, "--hex", frame)
    assert done.status == 0, done.err
    assert done.err == ""
    assert isinstance(done.json, dict)
    assert done.json.get("value") is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--protocol", "mt-sics", "--hex", "5g"], "'g' is none"),
        (["--protocol", "mt-sics", "--hex", "532"], "odd number"),
        (["--protocol", "mtsics", "--hex", ""], "did you mean mt-sics"),
        (["--protocol", "regex", "--hex", ""], "name --profile"),
        (["--protocol", "sma", "--hex", "", "--profile", "mt-sic"], "did you mean mt-sics"),
        (["--protocol", "sma", "--hex", "", "--profile", "mt-sics"], "speaks mt-sics, not sma"),
        (["--protocol", "sma", "--hex", "", "--profile", "zebra-zpl"], "is of a printer"),
        (["--protocol", "gs1", "--hex", "", "--profile", "mt-sics"], "leave out --profile"),
        (["--protocol", "mt-sics"], "--hex"),
        (["--hex", ""], "--protocol"),
    ],
)
def test_misuse_ends_with_2_and_says_what_to_do(run: Run, arguments: list[str], said: str) -> None:
    done = run("decode", *arguments)
    assert done.status == 2
    assert said in done.err
    assert done.out == ""


def test_a_profile_of_the_site_decodes_too(run: Run, config: Path) -> None:
    (config.parent / "profiles" / "ours.toml").write_text(OURS)
    options = ["--protocol", "mt-sics", "--profile", "ours", "-c", config]
    found = run("decode", *options, "--hex", b"S S   1.5 kg\r\n".hex()).json
    assert found["value"] == "1.5"


def test_decode_finds_the_site_as_the_other_commands_do_and_may_be_told_json(
    run: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = run("profiles", "show", "mt-sics", "--config", config).out
    (config.parent / "profiles" / "our-scale.toml").write_text(known)
    arguments = ["decode", "-p", "mt-sics", "--profile", "our-scale", "--hex", "53", "--json"]
    assert run(*arguments).status == 2
    monkeypatch.setenv("EDGE_AGENT_CONFIG", str(config))
    assert run(*arguments).json["status"] == "error"


def test_a_defect_of_a_decoder_is_an_error_for_the_script_and_told_to_people(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object) -> dict[str, Any]:
        raise ZeroDivisionError

    monkeypatch.setattr(decoding, "decode", broken)
    done = run("decode", "--protocol", "sma", "--hex", "00")
    assert (done.status, done.json["status"], done.json["value"]) == (0, "error", None)
    assert "Report this defect" in done.err


@pytest.mark.parametrize(
    ("protocol", "needless"),
    [
        (
            "mt-sics",
            {"typer", "rich", "asyncio", "serial", "zeroconf", "biip", "edge_contract.event"},
        ),
        (
            "scanner",
            {"typer", "rich", "asyncio", "serial", "zeroconf", "biip", "edge_contract.kinds"},
        ),
        ("gs1", {"typer", "rich", "asyncio", "serial", "zeroconf", "pydantic"}),
        (
            "zpl-hs",
            {"typer", "rich", "asyncio", "serial", "zeroconf", "biip", "edge_contract.event"},
        ),
    ],
)
def test_decode_starts_without_the_parts_that_it_does_not_need(
    protocol: str, needless: set[str]
) -> None:
    script = (
        "import sys\n"
        f"sys.argv = ['edge-agent', 'decode', '--protocol', '{protocol}', '--hex', '']\n"
        "from edge_agent.cli import main\n"
        "main()\n"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert needless & set(done.stdout.splitlines()[1].split()) == set()
