from __future__ import annotations

import os
import threading
import tty
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge_agent.devices.discovery import finding
from edge_agent.devices.discovery.finding import Findings, Wish, discover
from edge_agent.devices.discovery.probing import open_port, probe
from edge_agent.devices.discovery.proposal import FoundPort
from edge_agent.devices.discovery.serial import busy, list_ports, named_port, same_port
from edge_agent.devices.discovery.suggesting import Site
from edge_agent.devices.profiles.library import parse_profile
from edge_agent.devices.profiles.parts import SerialLine
from edge_agent.devices.profiles.resolve import ConfiguredDevice
from edge_agent.devices.profiles.schema import Profile
from edge_contract.errors import Retryable


def scale(probe: str = "HELLO\\r", answers: str = "WORLD", usb: str = "1234:5678") -> Profile:
    return parse_profile(
        'title = "x"\n[serial]\n[scale]\nprotocol = "mt-sics"\n'
        f'[discovery]\nusb = ["{usb}"]\nprobe = "{probe}"\nanswers = "{answers}"\n',
        "x.toml",
    )


@dataclass
class Device:
    """A pty whose far end answers, and remembers what it was told."""

    path: str
    answer: bytes
    heard: list[bytes] = field(default_factory=list)


@pytest.fixture
def device() -> Iterator[Device]:
    far, near = os.openpty()
    tty.setraw(near)
    found = Device(os.ttyname(near), b"..WORLD\r\n")

    def serve() -> None:
        while True:
            try:
                data = os.read(far, 100)
            except OSError:
                return
            if data == b"stop":
                return
            found.heard.append(data)
            os.write(far, found.answer)

    thread = threading.Thread(target=serve)
    thread.start()
    yield found
    os.write(near, b"stop")
    thread.join(10)
    os.close(far)
    os.close(near)


def look(
    device: Device, wish: Wish, profiles: dict[str, Profile], site: Site | None = None, **more: Any
) -> Findings:
    port = FoundPort(device.path, device.path, "1234:5678", "Thing")
    more.setdefault("used", lambda _path: "")
    more.setdefault("ports", lambda: [port])
    return discover(wish, profiles, site or Site(), **more)


def test_ports_are_listed_by_the_name_that_survives_replugging(tmp_path: Path) -> None:
    real = tmp_path / "ttyUSB7"
    real.touch()
    folders = [tmp_path / "by-id", tmp_path / "by-path"]
    for folder in folders:
        folder.mkdir()
        (folder / "usb-Acme").symlink_to(real)
    port = SimpleNamespace(
        device=str(real), vid=0x0403, pid=0x6001, product="P", manufacturer=None, serial_number=None
    )
    built_in = SimpleNamespace(
        device="/dev/ttyS9", vid=None, pid=None, product=None, manufacturer=None, serial_number=None
    )
    found = list_ports(lambda: [built_in, port], folders)
    assert [(one.stable, one.usb) for one in found] == [
        (str(folders[0] / "usb-Acme"), "0403:6001"),
        ("/dev/ttyS9", None),
    ]
    assert same_port(str(folders[1] / "usb-Acme"), str(real))
    assert named_port(str(folders[1] / "usb-Acme"), found) is found[0]


def test_a_port_that_a_program_holds_is_busy_with_its_name(tmp_path: Path) -> None:
    port, proc, locks = tmp_path / "ttyUSB0", tmp_path / "proc", tmp_path / "lock"
    port.touch()
    for number, name in (("11", "agetty"), ("12", "cat")):
        (proc / number / "fd").mkdir(parents=True)
        (proc / number / "comm").write_text(f"{name}\n")
    locks.mkdir()
    assert busy(str(port), locks=[locks], proc=proc) == ""
    (proc / "12" / "fd" / "3").symlink_to(port)
    assert busy(str(port), locks=[locks], proc=proc) == "cat (process 12)"
    (locks / "LCK..ttyUSB0").write_text("        11 agetty\n")
    assert busy(str(port), locks=[locks], proc=proc) == "agetty (process 11)"
    (locks / "LCK..ttyUSB0").write_text("99\n")  # its program is gone
    assert busy(str(port), locks=[locks], proc=proc) == "cat (process 12)"


def test_without_consent_nothing_is_written_to_any_port(device: Device) -> None:
    findings = look(device, Wish(seconds=0), {"acme": scale()})
    assert device.heard == []
    assert "--probe would ask it" in findings.suggestions[0].why


def test_with_consent_the_right_answer_proves_the_profile(device: Device) -> None:
    (found,) = look(device, Wish(probe=True, seconds=0), {"acme": scale()}).suggestions
    assert device.heard == [b"HELLO\r"]
    assert (found.sure, found.profile) == ("answered", "acme")
    assert "..WORLD" in found.why


def test_a_wrong_answer_leaves_what_the_usb_ids_say_and_tells_so(device: Device) -> None:
    device.answer = b"ES\r\n"
    (found,) = look(device, Wish(probe=True, seconds=0), {"acme": scale()}).suggestions
    assert found.sure == "likely"
    assert "it answered something else when asked as acme" in found.why


def _unclaimed_stays_unasked(device: Device) -> None:
    profiles = {"acme": scale(usb="dead:beef")}
    (found,) = look(device, Wish(probe=True, seconds=0), profiles).suggestions
    assert device.heard == []
    assert found.sure == "unknown"


def test_a_port_that_no_profile_claims_is_not_asked_even_with_consent(device: Device) -> None:
    _unclaimed_stays_unasked(device)


def test_a_discovery_that_asks_every_port_with_every_probe_would_be_caught(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "_to_ask", lambda _port, _named, _claims, profiles: list(profiles))
    with pytest.raises(AssertionError):
        _unclaimed_stays_unasked(device)


def test_a_port_that_the_user_names_is_asked_as_every_profile_or_those_named(
    device: Device,
) -> None:
    profiles = {
        "other": scale(probe="NO\\r", answers="never", usb="dead:beef"),
        "acme": scale(usb="dead:beef"),
    }
    wish = Wish(probe=True, ports=[device.path], only=["acme"], seconds=0)
    (found,) = look(device, wish, profiles).suggestions
    assert (found.sure, found.profile) == ("answered", "acme")
    assert device.heard == [b"HELLO\r"]


def test_a_port_that_is_configured_or_in_use_is_left_alone(device: Device) -> None:
    profile = scale()
    site = Site([ConfiguredDevice("bench-1", "acme", profile, "serial", device.path)])
    wish = Wish(probe=True, ports=[device.path], seconds=0)
    (found,) = look(device, wish, {"acme": profile}, site).suggestions
    assert (found.sure, found.toml) == ("configured", "")
    (found,) = look(
        device, wish, {"acme": profile}, used=lambda _path: "minicom (process 7)"
    ).suggestions
    assert "not asked: minicom (process 7) uses it" in found.why
    assert device.heard == []


def test_a_port_that_another_program_has_locked_is_a_trouble_and_not_a_silence(
    device: Device,
) -> None:
    holder = open_port(device.path, SerialLine())
    try:
        (result,) = probe(device.path, ["acme"], {"acme": scale()}, patience_s=0.2)
    finally:
        holder.close()
    assert "cannot be opened" in result.trouble
    assert device.heard == []


def test_a_network_that_cannot_be_heard_leaves_the_ports_found(device: Device) -> None:
    def listen(*_arguments: object, **_options: object) -> Any:
        raise Retryable("The network is down.")

    findings = look(device, Wish(seconds=1), {"acme": scale()}, listen=listen)
    assert findings.troubles == ["The network is down."]
    assert len(findings.suggestions) == 1
