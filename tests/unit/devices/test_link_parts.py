"""The small parts of the links: answers, buffers, settings, backoff."""

from __future__ import annotations

import inspect
import json
import socket
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from paho.mqtt.client import Client
from pydantic import ValidationError

from edge_agent.devices.links import full_jitter
from edge_agent.devices.mqtt.buffered import BufferedClient, BufferedSocket
from edge_agent.devices.mqtt.feedback import Outgoing, answer, refusal, stored_payload
from edge_agent.devices.settings import DeviceSettings, MqttSettings
from edge_agent.outbox.port import Appended, Reading, Unreadable
from edge_contract.event import DeviceEvent
from edge_contract.mqtt import Feedback

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def test_the_quick_answer_is_what_the_model_writes() -> None:
    identity = uuid4()
    feedback = Feedback(event=identity, stage="stored", ok=True, tone="good")
    assert stored_payload(identity) == feedback.model_dump_json().encode()


def test_each_result_has_its_answer() -> None:
    identity = uuid4()
    event = DeviceEvent(id=identity, kind="scan.read", time=NOW, data={"barcode": "1"})
    reading = Reading("h1", event, NOW)
    broken = Unreadable("h1", "topic", b"x", 1, "not_json", "No JSON.", NOW)

    def said(item: Any, result: Any) -> tuple[str, str, bool]:
        feedback = Feedback.model_validate_json(
            answer(item, Appended(result, None, None), identity)
        )
        assert feedback.event == identity
        return feedback.stage, feedback.code, feedback.ok

    assert said(reading, "new") == ("stored", "", True)
    assert said(reading, "duplicate") == ("stored", "", True)
    assert said(reading, "conflict") == ("quarantined", "content_conflict", False)
    assert said(reading, "quarantined") == ("quarantined", "bad_value", False)
    assert said(broken, "quarantined") == ("quarantined", "not_json", False)


def test_a_refusal_says_why_and_what_to_do() -> None:
    said = json.loads(refusal(None, "The disk is full."))
    assert said["stage"] == "refused"
    assert said["message"] == "Not stored: The disk is full. Keep it and send it again."


def test_outgoing_answers_are_bounded_and_keep_their_order() -> None:
    outgoing = Outgoing(3)
    kept = [outgoing.put("h1", bytes([number])) for number in range(5)]
    assert kept == [True, True, True, False, False]
    assert outgoing.dropped == 2
    taken = outgoing.take(2)
    outgoing.give_back(taken)
    assert [payload for _, payload in outgoing.take(10)] == [b"\0", b"\1", b"\2"]


@pytest.fixture
def pair() -> Any:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    buffered = BufferedSocket(ours)
    yield buffered, theirs
    buffered.close()
    theirs.close()


def test_a_buffered_socket_reads_ahead_and_gives_what_is_asked(pair: Any) -> None:
    buffered, theirs = pair
    with pytest.raises(BlockingIOError):
        buffered.recv(1)
    assert not buffered.readable()
    theirs.sendall(b"abcdef")
    assert [buffered.recv(1), buffered.recv(2), buffered.recv(10)] == [b"a", b"bc", b"def"]
    assert not buffered.readable()
    theirs.close()
    assert buffered.readable()
    assert buffered.recv(1) == b""


def test_a_buffered_socket_writes_when_told_and_before_it_closes(pair: Any) -> None:
    buffered, theirs = pair
    assert buffered.send(b"abc") == 3
    assert buffered.send(b"def") == 3
    theirs.setblocking(False)
    with pytest.raises(BlockingIOError):
        theirs.recv(10)
    assert buffered.flush()
    assert theirs.recv(10) == b"abcdef"
    buffered.send(b"bye")
    buffered.close()
    buffered.close()
    assert theirs.recv(10) == b"bye"


def test_a_buffered_socket_asks_to_wait_when_nobody_reads(pair: Any) -> None:
    buffered, _ = pair
    while buffered.unsent < 4 * 1024 * 1024 + 1:
        buffered.send(b"x" * 65536)
    with pytest.raises(BlockingIOError):
        buffered.send(b"x")


def test_pahos_private_seams_are_where_they_were() -> None:
    """The one private method that is overridden, and the behaviour the link relies on."""
    assert "_create_socket" in vars(Client)
    assert "_create_socket" in vars(BufferedClient)
    assert "self._sock = self._create_socket()" in inspect.getsource(Client.reconnect)
    assert "self._ssl_wrap_socket(sock)" in inspect.getsource(Client._create_socket)
    assert "_ssl_wrap_socket" in vars(BufferedClient)
    queue = inspect.getsource(Client._packet_queue)
    assert "self._on_socket_register_write is None" in queue, "paho would write each packet itself"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"port": 0}, "greater than or equal to 1"),
        ({"password": "x"}, "needs a username"),
        ({"username": "a", "password": "x", "password_file": "/x"}, "not both"),
        ({"tls": {"cert_file": "/x"}}, "go together"),
        ({"hots": "x"}, "Extra inputs"),
    ],
)
def test_a_wrong_broker_section_is_explained(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        MqttSettings.model_validate(fields)


def test_the_password_is_the_first_line_of_its_file_and_never_shown(tmp_path: Any) -> None:
    file = tmp_path / "password"
    file.write_text("s3cret\nrest\n")
    settings = MqttSettings(username="a", password_file=file)
    assert settings.password_text() == "s3cret"
    shown = MqttSettings.model_validate({"username": "a", "password": "s3cret"})
    assert "s3cret" not in repr(shown)


def test_a_device_needs_a_name_that_can_be_a_topic() -> None:
    with pytest.raises(ValidationError, match="name"):
        DeviceSettings.model_validate(
            {"name": "Scale 1", "profile": "mt-sics", "port": "/dev/ttyUSB0"}
        )


def test_full_jitter_stays_below_its_growing_bound() -> None:
    assert [full_jitter(n, 1.0, base=0.5, cap=15) for n in (0, 1, 2, 10, 1000)] == [
        0.5,
        1.0,
        2.0,
        15,
        15,
    ]
    assert full_jitter(5, 0.0, base=0.5, cap=15) == 0
