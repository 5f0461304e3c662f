from __future__ import annotations

import re
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.devices.discovery.proposal import (
    Claim,
    FoundPort,
    FoundService,
    Names,
    broker_table,
    device_table,
    port_claims,
    service_claims,
)
from edge_agent.devices.discovery.suggesting import Site, suggest_port, suggest_services
from edge_agent.devices.profiles.library import parse_profile
from edge_agent.devices.profiles.resolve import ConfiguredDevice
from edge_agent.devices.profiles.schema import Profile
from edge_contract.event import IDENTIFIER_PATTERN


def profile(body: str) -> Profile:
    return parse_profile(f'title = "x"\n{body}', "x.toml")


def scale(discovery: str) -> Profile:
    return profile(f'[serial]\n[scale]\nprotocol = "mt-sics"\n[discovery]\n{discovery}')


def printer(discovery: str) -> Profile:
    return profile(f'[tcp]\nport = 9100\n[printer]\nlanguage = "zpl"\n[discovery]\n{discovery}')


SCANNER = FoundPort("/dev/ttyACM0", "/dev/serial/by-id/x", "0c2e:0b61", "Scan 7", "Acme")
ADAPTER = FoundPort("/dev/ttyUSB0", "/dev/serial/by-id/y", "0403:6001", "FT232R", "FTDI")
ZEBRA = FoundService("_pdl-datastream._tcp", "ZTC 7", "z.local", ("192.0.2.10",), 9100)
BROKER = FoundService("_secure-mqtt._tcp", "edge", "b.local", ("192.0.2.3",), 8883)


def test_usb_ids_of_a_device_make_a_claim_likely_and_those_of_an_adapter_only_possible() -> None:
    (claim,) = port_claims(SCANNER, {"acme": scale('usb = ["0c2e:0b61"]')})
    assert (claim.profile, claim.sure) == ("acme", "likely")
    (claim,) = port_claims(ADAPTER, {"acme": scale('usb = ["0403:6001"]')})
    assert claim.sure == "possible"
    assert "FT232R adapter" in claim.why


def test_a_port_that_no_profile_knows_is_claimed_by_none() -> None:
    assert port_claims(SCANNER, {"acme": scale('usb = ["dead:beef"]\nnamed = ["zebra"]')}) == []
    assert port_claims(FoundPort("/dev/ttyS0", "/dev/ttyS0"), {"acme": scale("")}) == []


def test_the_surest_claim_comes_first_and_the_others_are_named() -> None:
    by_usb = 'usb = ["0c2e:0b61"]'
    profiles = {"a": scale('named = ["acme"]'), "b": scale(by_usb), "c": scale(by_usb)}
    claims = port_claims(SCANNER, profiles)
    assert [claim.profile for claim in claims] == ["b", "c", "a"]
    found = suggest_port(SCANNER, claims, Names(), None, "")
    assert found.also == ("c",)  # what fits less well would only confuse
    assert "# these profiles fit as well: c\n" in found.toml


def test_a_printer_is_likely_by_its_service_and_name_and_possible_by_its_service_alone() -> None:
    known = {"zpl": printer('mdns = ["_pdl-datastream._tcp"]\nnamed = ["ztc"]')}
    assert service_claims([ZEBRA], known)[0].sure == "likely"
    known = {"zpl": printer('mdns = ["_pdl-datastream._tcp"]\nnamed = ["other"]')}
    (claim,) = service_claims([ZEBRA], known)
    assert claim.sure == "possible"
    assert "every make" in claim.why


def test_a_name_is_known_by_whole_words_and_their_beginnings_only() -> None:
    known = {"zpl": printer('named = ["zt4"]'), "tspl": printer('named = ["tsc"]')}
    said = FoundService("_ipp._tcp", "Utsch ZT411 3rd floor", "p.local", ("192.0.2.9",), 631)
    assert [claim.profile for claim in service_claims([said], known)] == ["zpl"]


def test_where_nothing_tells_the_language_zpl_is_meant_and_the_others_are_named() -> None:
    epson = profile(
        '[tcp]\nport = 9100\n[printer]\nlanguage = "escpos"\n'
        '[discovery]\nmdns = ["_pdl-datastream._tcp"]'
    )
    known = {"a-receipt": epson, "zpl": printer('mdns = ["_pdl-datastream._tcp"]')}
    assert [claim.profile for claim in service_claims([ZEBRA], known)] == ["zpl", "a-receipt"]


def test_one_printer_with_three_services_is_one_suggestion() -> None:
    services = [
        FoundService(kind, "ZTC 7", "z.local", ("192.0.2.10",), port)
        for kind, port in (
            ("_pdl-datastream._tcp", 9101),
            ("_ipp._tcp", 631),
            ("_printer._tcp", 515),
        )
    ]
    known = {"zpl": printer('mdns = ["_pdl-datastream._tcp"]')}
    (found,) = suggest_services(services, known, Site(), Names())
    data = tomllib.loads(found.toml)
    assert data == {"devices": {"ztc-7": {"profile": "zpl", "host": "192.0.2.10:9101"}}}


def test_what_the_configuration_has_is_not_proposed_again() -> None:
    known = {"zpl": printer('mdns = ["_pdl-datastream._tcp"]')}
    device = ConfiguredDevice("label-1", "zpl", known["zpl"], "tcp", "192.0.2.10:9100")
    site = Site([device], ("192.0.2.3", 8883))
    printers = suggest_services([ZEBRA, BROKER], known, site, Names(["label-1"]))
    assert [(one.sure, one.toml) for one in printers] == [("configured", ""), ("configured", "")]
    port = suggest_port(SCANNER, [Claim("acme", "likely", "x")], Names(), "bench-1", "")
    assert (port.sure, port.toml) == ("configured", "")


def test_a_broker_is_never_more_than_possible_and_says_that_anyone_can_announce_one() -> None:
    (found,) = suggest_services([BROKER], {}, Site(), Names())
    assert found.sure == "possible"
    assert "anyone can" in found.toml
    data = tomllib.loads(found.toml)
    assert (data["mqtt"]["host"], data["mqtt"]["port"]) == ("192.0.2.3", 8883)
    assert "tls" in data["mqtt"]
    (other,) = suggest_services([BROKER], {}, Site((), ("192.0.2.4", 8883)), Names())
    assert other.toml == ""


def test_of_two_brokers_one_is_proposed_so_that_the_whole_is_still_toml() -> None:
    other = FoundService("_mqtt._tcp", "edge", "b.local", ("192.0.2.3",), 1883)
    known = {"zpl": printer('mdns = ["_pdl-datastream._tcp"]')}
    found = suggest_services([ZEBRA, BROKER, other, BROKER], known, Site(), Names())
    data = tomllib.loads("\n".join(one.toml for one in found))
    assert data["mqtt"]["port"] == 8883
    assert [bool(one.toml) for one in found] == [True, True, False, False]


@given(st.lists(st.text(max_size=80), max_size=8), st.lists(st.text(max_size=20), max_size=3))
def test_every_name_is_valid_and_unlike_the_others(wishes: list[str], taken: list[str]) -> None:
    names = Names(taken)
    made = [names.make(wish) for wish in wishes]
    assert all(re.fullmatch(IDENTIFIER_PATTERN, name) for name in made)
    assert len({*made, *taken}) == len(made) + len(set(taken))


@given(st.text(min_size=1), st.text(max_size=80), st.text(max_size=80))
def test_whatever_a_device_calls_itself_the_proposal_is_toml_of_one_device(
    address: str, why: str, wish: str
) -> None:
    name = Names().make(wish)
    data = tomllib.loads(device_table(name, "port", address, [Claim("acme", "possible", why)]))
    assert data == {"devices": {name: {"profile": "acme", "port": address}}}


@pytest.mark.parametrize(
    "text", ["x\n[uplink]\nurl = 'http://evil'", "x\r\n[mqtt]", "x\u2028[mqtt]"]
)
def test_a_name_cannot_smuggle_configuration_into_a_comment(text: str) -> None:
    table = device_table("a", "port", "/dev/x", [Claim("acme", "possible", text)])
    assert set(tomllib.loads(table)) == {"devices"}
    broker = FoundService("_mqtt._tcp", text, text, (), 1883)
    assert set(tomllib.loads(broker_table(broker, text))) == {"mqtt"}
