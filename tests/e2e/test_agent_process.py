"""The real agent process between a real broker and a relay double over HTTP, with its faults."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge_agent.devices.simulate.handheld import Handheld
from edge_agent.status import ask
from edge_agent.sync.fake import MemoryRelay
from edge_contract.batch import GENERATION_HEADER, DownlinkReply, Heartbeat
from edge_contract.errors import EdgeError
from edge_contract.killpoint import VARIABLE
from edge_contract.outcome import Outcome, Stage
from edge_sandbox.broker import Broker
from edge_sandbox.process import Part
from edge_sandbox.proxy import FaultProxy


def until(test: Callable[[], object], what: str, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not test():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.01)


class RelayDouble:
    """:class:`MemoryRelay` behind real HTTP, in a thread of its own."""

    def __init__(self) -> None:
        self.memory: MemoryRelay
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="relay-double", daemon=True)
        self._server: uvicorn.Server
        self._loop: asyncio.AbstractEventLoop

    def __enter__(self) -> RelayDouble:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.force_exit = True
        self._server.should_exit = True
        self._thread.join(10)

    @property
    def port(self) -> int:
        port: int = self._server.servers[0].sockets[0].getsockname()[1]
        return port

    def tell(self, device: str, event: UUID, stage: Stage, code: str = "") -> None:
        outcome = Outcome(
            device=device, event=event, stage=stage, code=code, message="Said.", at=_now()
        )
        self._loop.call_soon_threadsafe(self.memory.outcome, outcome)

    def numbers(self, device: str) -> list[int]:
        """The device's own numbers in the order of arrival."""
        return [
            int(event["sequence"])
            for (name, _), event in list(self.memory.events.items())
            if name == device and "sequence" in event
        ]

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.memory = MemoryRelay(_now)
        app = Starlette(
            routes=[
                Route("/v1/batches", self._batches, methods=["POST"]),
                Route("/v1/heartbeats", self._heartbeats, methods=["POST"]),
                Route("/v1/downlink", self._downlink),
            ]
        )
        config = uvicorn.Config(app, port=0, log_level="error", lifespan="off")
        self._server = uvicorn.Server(config)
        task = asyncio.create_task(self._server.serve())
        while not self._server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        self._ready.set()
        await task

    async def _batches(self, request: Request) -> Response:
        events = [json.dumps(event) for event in json.loads(gzip.decompress(await request.body()))]
        try:
            reply = await self.memory.send(UUID(request.headers[GENERATION_HEADER]), events)
        except EdgeError as error:
            return Response(str(error), 503)
        return Response(reply.model_dump_json())

    async def _heartbeats(self, request: Request) -> Response:
        heartbeat = Heartbeat.model_validate_json(await request.body())
        return Response((await self.memory.heartbeat(heartbeat)).model_dump_json())

    async def _downlink(self, request: Request) -> Response:
        after = int(request.query_params["after"])
        try:
            async with asyncio.timeout(float(request.query_params["wait"])):
                reply = await self.memory.downlink(after)
        except TimeoutError:
            reply = DownlinkReply(items=(), cursor=after)
        return Response(reply.model_dump_json())


def _now() -> datetime:
    return datetime.now(UTC)


class Site:
    """A broker, an agent's directory, and the agent itself as a child process."""

    def __init__(self, directory: Path, broker: Broker, relay_port: int) -> None:
        self.broker = broker
        self.directory = directory
        self.config = directory / "agent.toml"
        self.socket = directory / "agent.sock"
        _secret(directory / "token", "a-token-of-some-length")
        _secret(directory / "broker-password", broker.password("agent"))
        self.config.write_text(
            f"""
[site]
name = "dc1"
agent = "dock-a"
[outbox]
path = "outbox.db"
min_free_bytes = 1048576
[mqtt]
host = "{broker.host}"
port = {broker.port}
username = "agent"
password_file = "broker-password"
reconnect_max_s = 0.2
[uplink]
url = "http://127.0.0.1:{relay_port}"
token_file = "token"
heartbeat_s = 1
answer_timeout_s = 2
retry_first_s = 0.05
retry_max_s = 0.3
[status]
socket = "agent.sock"
""",
            encoding="utf-8",
        )

    def part(self, kill: str = "") -> Part:
        return Part(
            "agent",
            [sys.executable, "-m", "edge_agent", "run", "--config", str(self.config)],
            self.directory / "agent.log",
            ready=self.answers,
            environment={VARIABLE: kill},
        )

    def answers(self) -> bool:
        try:
            return bool(self.status()["links"][0]["health"] == "up")
        except EdgeError:
            return False

    def status(self) -> dict[str, Any]:
        (report,) = ask(self.socket, "status")
        return dict(report)

    def handheld(self, device: str = "h1") -> Handheld:
        return Handheld(
            device,
            self.broker.host,
            self.broker.port,
            password=self.broker.password(device),
            resend_after_s=0.5,
        )

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "edge_agent", *words, "--config", str(self.config)],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )


def _secret(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text + "\n")


SCAN = {
    "kind": "count.recorded",
    "data": {"location": "A1", "barcode": "4006381333931", "quantity": "3"},
}


@pytest.fixture
def relay() -> Iterator[RelayDouble]:
    with RelayDouble() as double:
        yield double


@pytest.fixture
def link(relay: RelayDouble) -> Iterator[FaultProxy]:
    with FaultProxy("127.0.0.1", relay.port) as proxy:
        yield proxy


@pytest.fixture
def site(tmp_path: Path, link: FaultProxy) -> Iterator[Site]:
    with Broker(["h1", "h2"]) as broker:
        yield Site(tmp_path, broker, link.port)


def test_a_scan_goes_from_the_handheld_to_the_relay_and_people_can_look(
    site: Site, relay: RelayDouble
) -> None:
    with site.part(), site.handheld() as handheld:
        ids = [handheld.scan(dict(SCAN)) for _ in range(20)]
        handheld.wait_confirmed()
        until(lambda: len(relay.numbers("h1")) == 20, "all at the relay")
        assert relay.numbers("h1") == list(range(1, 21))
        until(lambda: site.status()["outbox"]["unrelayed"] == 0, "all marked")
        status = site.status()
        assert status["uplink"]["link"] == "up"
        assert status["intake"]["state"] == "open"
        assert [device["name"] for device in status["devices"]] == ["h1"]
        until(lambda: relay.memory.heartbeats[-1].devices_online == 1, "said in a heartbeat")

        listed = site.command("outbox", "list", "--json")
        rows = json.loads(listed.stdout)
        assert {row["event"]["id"] for row in rows} >= {str(event) for event in ids}
        shown = site.command("outbox", "show", "h1", str(ids[3]))
        assert json.loads(shown.stdout)["stage"] == "relayed"
        exported = site.command("outbox", "export")
        assert len(exported.stdout.splitlines()) == len(rows)
        assert "newest position" in site.command("status").stdout
        assert json.loads(site.command("status", "--json").stdout)["site"] == "dc1"
        unknown = site.command("outbox", "show", "h1", str(UUID(int=1)))
        assert unknown.returncode == 1
        assert "Ask the relay" in unknown.stderr


def test_with_the_uplink_cut_the_floor_works_on_and_all_arrives_in_order_afterwards(
    site: Site, relay: RelayDouble, link: FaultProxy
) -> None:
    with site.part(), site.handheld("h1") as one, site.handheld("h2") as two:
        for mode in ("cut", "silent", "swallow_reply"):
            link.set(mode)
            for _ in range(50):
                one.scan(dict(SCAN))
                two.scan(dict(SCAN))
            one.wait_confirmed()
            two.wait_confirmed()
            until(lambda: site.status()["uplink"]["link"] == "down", "seen to be down")
            link.set("cut")
            link.set("pass")
            until(lambda: site.status()["outbox"]["unrelayed"] == 0, "drained")
        assert relay.numbers("h1") == list(range(1, 151))
        assert relay.numbers("h2") == list(range(1, 151))
        heard = one.agent
        assert heard is not None
        until(lambda: one.agent is not None and one.agent.uplink == "up", "told to the floor")


@pytest.mark.parametrize(
    "point",
    ["uplink.before_send:2", "uplink.after_reply:2", "uplink.after_mark:2"],
)
def test_killed_on_the_way_up_it_loses_nothing_and_doubles_nothing(
    site: Site, relay: RelayDouble, point: str
) -> None:
    dying = site.part(kill=point)
    with dying, site.handheld() as handheld:
        sent = 0
        while dying.running and sent < 400:
            handheld.scan(dict(SCAN))
            sent += 1
            time.sleep(0.01)  # the pace of scans; what is waited for is the kill
        assert dying.wait_exit() == -signal.SIGKILL
        with site.part():
            handheld.wait_confirmed()
            until(lambda: len(relay.numbers("h1")) == sent, "all at the relay")
            until(lambda: site.status()["outbox"]["unrelayed"] == 0, "all marked")
        assert relay.numbers("h1") == list(range(1, sent + 1))


@pytest.mark.parametrize("point", ["downlink.after_reply", "downlink.after_record"])
def test_killed_on_the_way_down_it_forgets_no_outcome_and_repeats_no_tone(
    site: Site, relay: RelayDouble, point: str
) -> None:
    dying = site.part(kill=point)
    with dying, site.handheld() as handheld:
        event = handheld.scan(dict(SCAN))
        handheld.wait_confirmed()
        until(lambda: len(relay.numbers("h1")) == 1, "at the relay")
        relay.tell("h1", event, "held", "unknown_barcode")
        assert dying.wait_exit() == -signal.SIGKILL
        with site.part():
            until(lambda: site.status()["outbox"]["held"] == 1, "noted as held")
            relay.tell("h1", event, "applied")
            until(lambda: _tones(handheld, event)[-1:] == [("applied", "good")], "the good tone")
        with site.part():
            second = handheld.scan(dict(SCAN))
            until(lambda: second in handheld.confirmed, "still in touch")
        heard = [stage for stage, _ in _tones(handheld, event)]
        assert heard.count("held") == (1 if point == "downlink.after_reply" else 0)
        assert heard.count("applied") == 1


def _tones(handheld: Handheld, event: UUID) -> list[tuple[str, str]]:
    return [
        (said.stage, said.tone)
        for said in list(handheld.feedback)
        if said.event == event and said.stage != "stored"
    ]


def test_told_to_end_it_does_so_quickly_with_everything_confirmed_in_the_outbox(
    site: Site, relay: RelayDouble, link: FaultProxy
) -> None:
    link.set("silent")
    part = site.part()
    with part, site.handheld() as handheld:
        for _ in range(300):
            handheld.scan(dict(SCAN))
        until(lambda: len(handheld.confirmed) > 50, "some are confirmed")
        begun = time.monotonic()
        part.signal(signal.SIGTERM)
        assert part.wait_exit(10) == 0
        assert time.monotonic() - begun < 5
        assert not site.socket.exists()
        confirmed = set(handheld.confirmed)
        link.set("pass")
        with site.part():
            handheld.wait_confirmed()
            until(lambda: len(relay.numbers("h1")) == 300, "all at the relay")
        assert confirmed <= {event for _, event in relay.memory.events}


def test_a_second_agent_on_the_same_socket_touches_nothing(site: Site) -> None:
    with site.part():
        second = site.command("run")
        assert second.returncode == 1
        assert "Another agent answers" in second.stderr
        assert site.answers()


def test_an_open_secret_and_a_wrong_key_are_configuration_errors(site: Site) -> None:
    token = site.directory / "token"
    token.chmod(0o644)
    found = site.command("run")
    assert found.returncode == 2
    assert f"chmod 0600 {token}" in found.stderr
    token.chmod(0o600)
    assert site.command("config", "check").returncode == 0
    text = site.config.read_text()
    site.config.write_text(text.replace("heartbeat_s", "hartbeat_s"))
    found = site.command("config", "check")
    assert found.returncode == 2
    assert f"{site.config}:17: uplink.hartbeat_s is unknown; did you mean heartbeat_s?" in (
        found.stderr
    )
    assert "Traceback" not in found.stderr


def test_asked_while_no_agent_runs_the_command_says_so(site: Site) -> None:
    found = site.command("status")
    assert found.returncode == 1
    assert "No agent answers" in found.stderr


def test_the_agent_leaves_no_socket_open_to_others(site: Site) -> None:
    with site.part():
        assert os.stat(site.socket).st_mode & 0o777 == 0o660
