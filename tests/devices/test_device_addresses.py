from __future__ import annotations

from typing import Any

import pytest

from edge_agent.devices.profiles.addresses import check_places
from edge_agent.devices.profiles.library import ProfileLibrary
from edge_agent.devices.profiles.resolve import ConfiguredDevice, configured_devices
from edge_agent.devices.settings import DeviceSettings
from edge_contract.toml_errors import ConfigurationError

SCALE = {"profile": "mt-sics", "port": "/dev/ttyUSB0"}
ZEBRA = {"profile": "zebra-zpl", "host": "192.0.2.10"}
ALERTS = {**ZEBRA, "override": {"printer": {"alerts_port": 9201}}}


def configured(**devices: dict[str, Any]) -> list[ConfiguredDevice]:
    settings = {
        name: DeviceSettings.model_validate({"name": name, **table})
        for name, table in devices.items()
    }
    return configured_devices(settings, ProfileLibrary())


def complaint(**devices: dict[str, Any]) -> str:
    with pytest.raises(ConfigurationError) as caught:
        check_places(configured(**devices))
    return caught.value.message


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("10.0.4.17", "10.0.4.17:9100"),
        ("zebra-1.example", "zebra-1.example:9100"),
        ("10.0.4.17:6101", "10.0.4.17:6101"),
        ("[2001:db8::7]", "[2001:db8::7]:9100"),
        ("[fe80::7%eth0]:6101", "[fe80::7%eth0]:6101"),
    ],
)
def test_a_host_has_the_port_of_the_profile_unless_it_names_one(host: str, address: str) -> None:
    devices = configured(a={**ZEBRA, "host": host})
    check_places(devices)
    assert [device.address for device in devices] == [address]


@pytest.mark.parametrize(
    "port",
    [
        "/dev/serial/by-id/usb-Acme_1-if00",
        "socket://10.0.4.7:4001",
        "rfc2217://[2001:db8::7]:4001",
        "rfc2217://ds.example:4001?logging=debug",
        "rfc2217://ds.example:4001/ign_set_control",
    ],
)
def test_a_port_is_a_whole_path_or_a_device_server(port: str) -> None:
    check_places(configured(a={**SCALE, "port": port}))


@pytest.mark.parametrize(
    ("host", "said"),
    [
        *(
            (host, "is no name or address, as 10.0.4.17 or")
            for host in ("10.0.4.17:", "10.0.4.17:abc", "10.0.4.17:0", "10.0.4.17:70000")
        ),
        ("tcp://x:1", "is no name or address"),
        ("a b", "is no name or address"),
        ("fe80::7", "in brackets"),
    ],
)
def test_what_is_no_address_is_no_host(host: str, said: str) -> None:
    assert said in complaint(a={**ZEBRA, "host": host})


@pytest.mark.parametrize(
    ("port", "said"),
    [
        ("COM1", "is no path: write all of it"),
        ("ttyUSB0", "edge-agent devices discover lists"),
        ("tcp://10.0.4.7:4001", "a serial device server is socket:// or rfc2217://"),
        ("socket://10.0.4.7", "names no port, as socket://10.0.4.7:4001"),
        ("rfc2217://:4001", "names no port"),
    ],
)
def test_where_no_port_can_be_is_refused_with_what_to_write(port: str, said: str) -> None:
    assert said in complaint(a={**SCALE, "port": port})


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (SCALE, {**SCALE, "profile": "sma"}, "its line /dev/ttyUSB0 is that of devices.a"),
        (ZEBRA, {**ZEBRA, "host": "192.0.2.10:9100"}, "its line 192.0.2.10:9100 is that of"),
        (
            {"profile": "sma", "host": "192.0.2.7:4001"},
            {"profile": "sma", "port": "socket://192.0.2.7:4001"},
            "its line socket://192.0.2.7:4001 is that of devices.a",
        ),
        (ALERTS, {**ALERTS, "host": "192.0.2.11"}, "its alerts_port 9201 is that of devices.a"),
    ],
)
def test_two_devices_are_not_in_one_place(
    first: dict[str, Any], second: dict[str, Any], said: str
) -> None:
    assert f"devices.b: {said}" in complaint(a=first, b=second)


def test_devices_beside_each_other_are_no_mistake() -> None:
    other = {**ALERTS, "host": "192.0.2.11", "override": {"printer": {"alerts_port": 9202}}}
    check_places(configured(a=SCALE, b={**SCALE, "port": "/dev/ttyUSB1"}, c=ALERTS, d=other))
