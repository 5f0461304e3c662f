"""Announcements over real multicast DNS, on the loopback interface only."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from uuid import uuid4

import pytest
from zeroconf import IPVersion, ServiceInfo, Zeroconf

from edge_agent.devices.discovery.advertise import Advert, BrokerAdvert, service_info
from edge_agent.devices.discovery.finding import Wish, discover
from edge_agent.devices.discovery.mdns import listen
from edge_agent.devices.discovery.proposal import FoundService
from edge_agent.devices.discovery.suggesting import Site
from edge_agent.devices.profiles.library import ProfileLibrary
from edge_contract.errors import Retryable

LOOPBACK = ("127.0.0.1",)


def heard(instance: str, seconds: float = 10.0) -> list[FoundService]:
    """What is announced under that name: other tests of this host may announce things, too."""
    found: list[FoundService] = []
    for _ in range(int(seconds / 2)):
        found = [one for one in listen(2.0, LOOPBACK) if instance in one.instance]
        if found:
            break
    return found


@pytest.fixture
def site() -> str:
    return f"dc{uuid4().hex[:8]}"


@pytest.fixture
def printer() -> Iterator[str]:
    """A printer that announces its raw port; its name."""
    name = f"ZTC ZD420-{uuid4().hex[:6]}"
    kind = "_pdl-datastream._tcp.local."
    info = ServiceInfo(
        kind,
        f"{name}.{kind}",
        parsed_addresses=["127.0.0.1"],
        port=9100,
        properties={"ty": "Zebra ZD420"},
        server=f"{uuid4().hex[:8]}.local.",
    )
    network = Zeroconf(interfaces=list(LOOPBACK), ip_version=IPVersion.V4Only)
    try:
        network.register_service(info)
        yield name
    finally:
        network.unregister_all_services()
        network.close()


def test_the_site_s_broker_is_found_while_it_is_announced_and_not_after(site: str) -> None:
    advert = BrokerAdvert(Advert(site, "dock-a", "1.2", "127.0.0.1", 8883, True, LOOPBACK))
    advert.start()
    try:
        (found,) = heard(site)
    finally:
        advert.stop()
    assert (found.service, found.port) == ("_secure-mqtt._tcp", 8883)
    assert found.addresses == LOOPBACK
    assert dict(found.properties) == {"site": site, "agent": "dock-a", "version": "1.2"}
    assert [one for one in listen(1.0, LOOPBACK) if site in one.instance] == []


def test_a_broker_without_tls_is_announced_as_such() -> None:
    info = service_info(Advert("dc1", "dock-a", "1", "192.0.2.7", 1883, False))
    assert info.type == "_mqtt._tcp.local."
    assert info.parsed_addresses() == ["192.0.2.7"]


def test_a_broker_on_this_host_is_announced_with_an_address_that_others_reach() -> None:
    info = service_info(Advert("dc1", "dock-a", "1", "localhost", 1883, False, ("192.0.2.5",)))
    assert info.parsed_addresses() == ["192.0.2.5"]


def test_two_agents_of_a_site_are_two_announcements() -> None:
    names = {
        service_info(Advert("dc1", agent, "1", "192.0.2.7", 1883, False)).name
        for agent in ("dock-a", "dock-b")
    }
    assert len(names) == 2


def test_a_printer_of_the_network_becomes_a_proposal_of_its_profile(printer: str) -> None:
    library = ProfileLibrary()
    wish = Wish(seconds=2.0, interfaces=LOOPBACK)
    profiles = {"zebra-zpl": library.get("zebra-zpl")}
    for _ in range(5):
        findings = discover(wish, profiles, Site(), ports=list)
        mine = [one for one in findings.suggestions if printer in one.says]
        if mine:
            break
    (found,) = mine
    assert (found.profile, found.sure) == ("zebra-zpl", "likely")
    assert 'host = "127.0.0.1"' in found.toml


def test_a_network_that_cannot_be_listened_to_says_what_to_do() -> None:
    nowhere = ("203.0.113.77",)
    with pytest.raises(Retryable, match="--interface"):
        listen(0.1, nowhere)
    advert = BrokerAdvert(Advert("dc1", "dock-a", "1", "127.0.0.1", 1883, False, nowhere))
    with pytest.raises(Retryable, match="advertise = false"):
        advert.start()
    advert.stop()


def test_an_agent_that_announces_nothing_does_not_load_what_could() -> None:
    script = "import sys, edge_agent.app; print('zeroconf' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
