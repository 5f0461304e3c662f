"""The client against a real TLS server: whose certificate it believes, and what it says if not."""

from __future__ import annotations

import asyncio
import ipaddress
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge_agent.sync.client import HttpRelay, trust
from edge_contract.batch import DownlinkReply
from edge_contract.errors import NeedsOperator


class Authority:
    """A certificate authority of a test."""

    def __init__(self, directory: Path, name: str) -> None:
        self.file = directory / f"{name}-ca.pem"
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            self._begin(self._name, self._key.public_key(), days=10)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, *, days: int = 5, host: str = "127.0.0.1") -> tuple[Path, Path]:
        """Files of a server's certificate and key; expired with ``days`` below zero."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        address = x509.IPAddress(ipaddress.ip_address(host))
        certificate = (
            self._begin(subject, key.public_key(), days)
            .add_extension(x509.SubjectAlternativeName([address]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        files = self._directory / f"{name}.pem", self._directory / f"{name}.key"
        files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        files[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return files

    def _begin(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, days: int
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=20))
            .not_valid_after(now + timedelta(days=days))
        )


async def _nothing_new(_: Request) -> Response:
    return Response(DownlinkReply(items=(), cursor=5).model_dump_json())


@contextmanager
def serving(certificate: tuple[Path, Path]) -> Iterator[str]:
    """A relay double with that certificate; yields its address."""
    config = uvicorn.Config(
        Starlette(routes=[Route("/v1/downlink", _nothing_new)]),
        port=0,
        log_level="critical",
        lifespan="off",
        ssl_certfile=certificate[0],
        ssl_keyfile=certificate[1],
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    ready = threading.Event()
    for _ in range(1000):
        if server.started:
            break
        ready.wait(0.01)
    try:
        yield f"https://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


def asked(url: str, ca_file: Path) -> int:
    async def ask() -> int:
        relay = HttpRelay(url, "a", lambda: "t", ca_file=ca_file)
        try:
            return (await relay.downlink(5)).cursor
        finally:
            await relay.close()

    return asyncio.run(ask())


def test_a_relay_of_the_named_authority_is_believed(tmp_path: Path) -> None:
    ours = Authority(tmp_path, "ours")
    with serving(ours.issue("relay")) as url:
        assert asked(url, ours.file) == 5


@pytest.mark.parametrize("case", ["another authority", "expired", "another host"])
def test_any_other_is_not_and_a_person_hears_why(tmp_path: Path, case: str) -> None:
    ours, others = Authority(tmp_path, "ours"), Authority(tmp_path, "others")
    certificate = {
        "another authority": lambda: others.issue("relay"),
        "expired": lambda: ours.issue("relay", days=-1),
        "another host": lambda: ours.issue("relay", host="192.0.2.1"),
    }[case]()
    with serving(certificate) as url:
        with pytest.raises(NeedsOperator, match="is not trusted") as caught:
            asked(url, ours.file)
        assert caught.value.code == "certificate"
        assert "uplink.ca_file" in caught.value.remedy


def test_a_ca_file_that_is_none_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nonsense")
    for path in (tmp_path / "ca.pem", tmp_path / "missing.pem"):
        with pytest.raises(NeedsOperator, match="cannot be used") as caught:
            trust(path)
        assert caught.value.code == "configuration"
