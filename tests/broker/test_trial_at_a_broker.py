"""``edge-agent devices test`` of devices on a real broker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from edge_agent.config import AgentConfig, load
from edge_agent.trial import Verdict, configured_device, trial
from edge_contract.errors import Retryable
from edge_sandbox.broker import Broker

ACL = """
pattern write readers/%u/tags
user agent
topic read readers/#
"""
PROFILE = """
title = "Readers"
[mqtt]
topic = "readers/{device}/tags"
[scanner]
format = "json"
[scanner.read]
data = "/tag"
"""


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker(["r1"], acl=ACL) as running:
        yield running


def configured(broker: Broker, folder: Path, password: str | None = None) -> AgentConfig:
    (folder / "profiles").mkdir()
    (folder / "profiles" / "ours.toml").write_text(PROFILE)
    secret = folder / "secret"
    secret.write_text(password or broker.password("agent"))
    secret.chmod(0o600)
    file = folder / "agent.toml"
    file.write_text(
        '[site]\nname = "dc1"\nagent = "dock-a"\n'
        f'[mqtt]\nhost = "{broker.host}"\nport = {broker.port}\n'
        'username = "agent"\npassword_file = "secret"\n'
        '[devices.readers]\nprofile = "ours"\n'
    )
    return load(file, {})


def test_messages_of_a_fleet_are_shown_with_their_topic_and_their_reads(
    broker: Broker, tmp_path: Path
) -> None:
    config = configured(broker, tmp_path)
    device = configured_device(config, "readers")
    reader = Client(CallbackAPIVersion.VERSION2, "r1", protocol=MQTTv5)
    reader.username_pw_set("r1", broker.password("r1"))
    reader.connect(broker.host, broker.port)
    reader.loop_start()
    items: list[dict[str, Any]] = []
    verdict = Verdict(device)
    try:
        for item in trial(config, device, 10):
            items.append(item)
            verdict.take(item)
            if item["what"] == "quiet":  # it listens by now
                reader.publish("readers/r1/tags", b'{"tag": "A7"}', qos=1)
            if item["what"] == "decoded":
                break
    finally:
        reader.disconnect()
        reader.loop_stop()
    received = next(item for item in items if item["what"] == "received")
    assert (received["topic"], received["text"]) == ("readers/r1/tags", '{"tag": "A7"}')
    assert items[-1]["said"]["data"] == "A7"
    assert verdict.good


def test_silence_names_the_topic_and_the_broker_s_access_list(
    broker: Broker, tmp_path: Path
) -> None:
    config = configured(broker, tmp_path)
    device = configured_device(config, "readers")
    verdict = Verdict(device)
    for item in trial(config, device, 1.5):
        verdict.take(item)
    assert not verdict.good
    assert "readers/{device}/tags" in verdict.sentence(1.5)


def test_a_broker_that_refuses_says_whom(broker: Broker, tmp_path: Path) -> None:
    config = configured(broker, tmp_path, password="wrong")
    with pytest.raises(Retryable, match="Check username and password_file"):
        list(trial(config, configured_device(config, "readers"), 10))
