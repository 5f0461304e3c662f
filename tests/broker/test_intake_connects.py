"""The link's connection: TLS, a broker that says no, one that is badly configured."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from edge_agent.devices.mqtt.link import MqttLink
from edge_agent.devices.presence.presence import Presence
from edge_agent.devices.settings import MqttSettings
from edge_agent.devices.simulate.handheld import Handheld
from edge_sandbox.broker import Broker


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that is its own authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = tmp_path / "certificate.pem", tmp_path / "key.pem"
    paths[0].write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


def _link(broker: Broker, outbox: Any, now: Any, **settings: Any) -> MqttLink:
    base = {
        "host": broker.host,
        "port": broker.port,
        "username": "agent",
        "password": broker.password("agent"),
        "reconnect_max_s": 0.2,
    }
    read = MqttSettings.model_validate({**base, **settings})
    link = MqttLink(read, outbox.append_blocking, Presence(), now)
    link.start()
    return link


def test_over_tls_nothing_stays_behind_in_the_cipher(
    certificate: tuple[Path, Path], outbox: Any, now: Any, event: Any
) -> None:
    """What is decrypted already makes no socket readable: a backlog must not wait for the next."""
    with Broker(["h1"], certificate=certificate) as broker:
        tls = {"ca_file": str(certificate[0])}
        link = _link(broker, outbox, now, port=broker.tls_port, tls=tls, burst=7)
        try:
            with Handheld("h1", broker.host, broker.port, password=broker.password("h1")) as device:
                scans = [device.scan(event()) for _ in range(500)]
                device.wait_confirmed()
            assert outbox.ids == scans
        finally:
            link.stop()


def test_a_broker_with_another_certificate_is_not_trusted(
    certificate: tuple[Path, Path], outbox: Any, now: Any, until: Any
) -> None:
    with Broker(certificate=certificate) as broker:
        link = _link(broker, outbox, now, port=broker.tls_port, tls={})
        try:
            until(lambda: link.state().health == "down", "refused")
            assert "certificate verify failed" in link.state().detail
        finally:
            link.stop()


def test_a_wrong_password_is_said_with_its_remedy_and_tried_again(
    broker: Broker, outbox: Any, now: Any, until: Any
) -> None:
    link = _link(broker, outbox, now, password="wrong")
    try:
        until(lambda: link.state().health == "down", "refused")
        assert "Not authorized" in link.state().detail
        assert "password_file" in link.state().detail
    finally:
        link.stop()


def test_two_agents_with_one_client_id_are_told_so(
    broker: Broker, outbox: Any, now: Any, until: Any
) -> None:
    links = [_link(broker, outbox, now) for _ in range(2)]
    try:
        until(
            lambda: any("client_id" in link.state().detail for link in links), "one of them says so"
        )
    finally:
        for link in links:
            link.stop()


def test_what_the_brokers_configuration_will_cost_is_found(
    outbox: Any, now: Any, until: Any
) -> None:
    with Broker(max_inflight=20) as broker:
        link = _link(broker, outbox, now)
        try:
            until(lambda: link.state().health == "up", "connected")
            (found,) = link.findings()
            assert "max_inflight_messages" in found
        finally:
            link.stop()


def test_a_good_broker_leaves_nothing_to_be_found(make_link: Any) -> None:
    assert make_link().findings() == ()
