"""The local socket, what it lets people do, and the command line that asks it."""

from __future__ import annotations

import asyncio
import getpass
import json
import stat
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from cloud_relay.cli import app, main
from cloud_relay.control import Control
from cloud_relay.inbox.fake import MemoryInbox
from cloud_relay.inbox.port import Alarm, Arrival, Verdict
from cloud_relay.local_socket import ask, serve
from cloud_relay.odoo.status import TargetStatus
from edge_contract.errors import EdgeError, NeedsOperator, Rejected


class Target:
    """What control asks of an applier."""

    def __init__(self) -> None:
        self.resumed: list[tuple[str, datetime | None, bool]] = []

    def status(self) -> TargetStatus:
        return TargetStatus(
            target="main",
            state="stopped",
            since=datetime(2026, 11, 23, 10, tzinfo=UTC),
            code="went_back",
            message="Odoo was restored from a backup.",
            remedy="Replay.",
            batch_limit=150,
        )

    async def resume(self, by: str, replay_since: datetime | None, new_database: bool) -> int:
        if replay_since is None:
            raise Rejected("replay_since_needed", "Say --replay-since TIME.")
        self.resumed.append((by, replay_since, new_database))
        return 7


class Desk:
    """A control socket with an inbox behind it, and a command line in another thread."""

    def __init__(self, relay: Any, folder: Path) -> None:
        self.relay = relay
        self.path = folder / "relay.sock"
        self.inbox = MemoryInbox()
        self.target = Target()
        self.control = Control(self.inbox, {"main": self.target}, {"a": "main", "b": "main"}, "1.2")

    def play(self, scene: Callable[[], Awaitable[None]]) -> None:
        async def run() -> None:
            async with serve(self.path, 0o600, self.control.commands()):
                await scene()

        asyncio.run(run())

    async def ask(self, do: str, **fields: Any) -> Any:
        return await asyncio.to_thread(ask, self.path, do, **fields)

    async def cli(self, *arguments: str) -> str:
        words = [*arguments, "--socket", str(self.path)]
        result = await asyncio.to_thread(CliRunner(env={"COLUMNS": "200"}).invoke, app, words)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.output

    async def hold(self, *codes: str) -> list[Any]:
        """Events on one document, the first of which are held."""
        events = [self.relay.line(n + 1, "WH/IN/00001") for n in range(len(codes) + 1)]
        now = datetime.now(UTC)
        await self.inbox.store(Arrival("a", "main", "agent-1", self.relay.generation, events, now))
        await self.inbox.settle(
            [Verdict(n + 1, "held", code, "No product.") for n, code in enumerate(codes)], now
        )
        return events


@pytest.fixture
def desk(relay: Any, tmp_path: Path) -> Desk:
    return Desk(relay, tmp_path)


def test_a_held_event_is_listed_shown_and_replayed_on_the_record(desk: Desk) -> None:
    async def scene() -> None:
        await desk.hold("unknown_barcode")
        (row,) = await desk.ask("held.list")
        assert (row["number"], row["code"], row["behind"]) == (1, "unknown_barcode", 1)
        assert row["remedy"] == "Add the barcode in Odoo, then replay."
        shown = await desk.ask("held.show", number=1)
        assert [step["stage"] for step in shown["ladder"]][-1] == "held"
        assert await desk.ask("held.replay", numbers=[1]) == {"replayed": 1}
        assert await desk.ask("held.list") == []
        (did, *_) = await desk.ask("audit")
        assert (did["action"], did["by"]) == ("replay", getpass.getuser())

    desk.play(scene)


def test_a_discard_needs_a_reason_and_frees_the_lane(desk: Desk) -> None:
    async def scene() -> None:
        await desk.hold("unknown_barcode")
        with pytest.raises(NeedsOperator, match="Say why"):
            await desk.ask("held.discard", number=1, reason=" ")
        await desk.ask("held.discard", number=1, reason="counted by hand")
        ready = await desk.inbox.ready("main", datetime.now(UTC), 10)
        assert [entry.number for entry in ready] == [2]

    desk.play(scene)


def test_an_event_set_aside_stays_in_the_list(desk: Desk) -> None:
    async def scene() -> None:
        await desk.hold("unknown_barcode")
        assert "set aside" in await desk.cli("held", "aside", "1", "--reason", "the truck leaves")
        (row,) = await desk.ask("held.list")
        assert row["status"] == "aside"

    desk.play(scene)


def test_all_of_a_site_may_be_replayed_at_once(desk: Desk) -> None:
    async def scene() -> None:
        await desk.hold("unknown_barcode")
        assert await desk.ask("held.replay", all=True, site="b") == {"replayed": 0}
        assert "1 events" in await desk.cli("held", "replay", "--all", "--site", "a")

    desk.play(scene)


def test_what_was_set_aside_is_not_replayed_with_all_the_others(desk: Desk) -> None:
    async def scene() -> None:
        await desk.hold("unknown_barcode", "unknown_barcode")
        await desk.ask("held.aside", number=1, reason="the truck leaves")
        assert await desk.ask("held.replay", all=True) == {"replayed": 1}
        (row,) = await desk.ask("held.list")
        assert (row["number"], row["status"]) == (1, "aside")

    desk.play(scene)


@pytest.mark.parametrize(
    ("do", "fields", "words"),
    [
        ("fly", {}, "it knows alarms.clear"),
        ("held.show", {"number": 99}, "no event with the number 99"),
        ("held.show", {}, "does not fit"),
        ("held.show", {"number": "x"}, "does not fit"),
        ("held.replay", {"numbers": [99]}, "99"),
        ("held.discard", {"number": 99, "reason": "x"}, "99"),
        ("targets.resume", {"target": "none"}, "There is no target none; there is: main"),
        ("targets.resume", {"target": "main"}, "--replay-since"),
        ("alarms.clear", {"key": "none"}, "There is no alarm none"),
        ("devices.enrol", {"device": "x", "target": "none"}, "There is no target none"),
        ("event", {"device": "x", "event": str(uuid4())}, "outbox show"),
        ("event", {"device": "x", "event": "17"}, "'17' is no id of an event: it is a UUID"),
        ("held.list", {"site": "hambrug"}, "There is no site hambrug; there is: a, b."),
        ("held.replay", {"all": True, "site": "hambrug"}, "There is no site hambrug"),
        ("devices.enrol", {"device": "A b", "target": "main"}, "'A b' is no name of a device"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    desk: Desk, do: str, fields: dict[str, Any], words: str
) -> None:
    async def scene() -> None:
        with pytest.raises(NeedsOperator) as caught:
            await desk.ask(do, **fields)
        assert words in str(caught.value)
        assert await desk.ask("status")

    desk.play(scene)


def test_a_line_that_is_no_json_is_answered_too(desk: Desk) -> None:
    async def scene() -> None:
        reader, writer = await asyncio.open_unix_connection(str(desk.path))
        writer.write(b"hello\n[1]\n")
        for _ in range(2):
            assert json.loads(await reader.readline())["code"] == "unknown_command"
        writer.close()
        await writer.wait_closed()

    desk.play(scene)


def test_a_target_is_resumed_with_the_time_to_replay_from(desk: Desk) -> None:
    async def scene() -> None:
        said = await desk.cli(
            "targets", "resume", "main", "--replay-since", "2026-11-23T11:00:00+01:00"
        )
        assert "7 events" in said
        since = datetime(2026, 11, 23, 10, tzinfo=UTC)
        assert desk.target.resumed == [(getpass.getuser(), since, False)]

    desk.play(scene)


def test_alarms_are_listed_and_cleared(desk: Desk) -> None:
    async def scene() -> None:
        now = datetime.now(UTC)
        await desk.inbox.raise_alarm(Alarm("target_stopped:main:bad_key", None, "Stopped.", now))
        assert "bad_key" in await desk.cli("alarms", "list")
        await desk.cli("alarms", "clear", "target_stopped:main:bad_key")
        assert "No alarm" in await desk.cli("alarms", "list")

    desk.play(scene)


SCREENS: dict[str, tuple[Sequence[str], str]] = {
    "held": (("held", "list"), "Add the barcode in Odoo"),
    "show": (("held", "show", "1"), "unknown_barcode"),
    "targets": (("targets", "list"), "Odoo was restored from a backup."),
    "sites": (("sites",), "never"),
    "audit": (("audit",), "Nobody did anything"),
    "alarms": (("alarms", "list"), "No alarm"),
    "enrol": (("enrol", "scanner-1", "main"), "works for main now"),
}


@pytest.mark.parametrize("name", SCREENS)
def test_every_screen_shows_the_same_as_its_json(desk: Desk, name: str) -> None:
    words, expected = SCREENS[name]

    async def scene() -> None:
        await desk.hold("unknown_barcode")
        assert expected in await desk.cli(*words)
        assert json.loads(await desk.cli(*words, "--json")) is not None

    desk.play(scene)


def test_the_ladder_of_an_event_is_shown(desk: Desk) -> None:
    async def scene() -> None:
        (first, _) = await desk.hold("unknown_barcode")
        assert "held" in await desk.cli("event", "scanner-1", str(first.id))

    desk.play(scene)


def test_only_its_owner_may_open_the_socket(desk: Desk) -> None:
    async def scene() -> None:
        assert stat.S_IMODE(desk.path.stat().st_mode) == 0o600

    desk.play(scene)
    assert not desk.path.exists()


def test_a_socket_left_behind_is_taken_over_and_a_live_one_is_not(desk: Desk) -> None:
    async def scene() -> None:
        with pytest.raises(NeedsOperator, match="Another relay listens"):
            async with serve(desk.path, 0o600, {}):
                pass
        assert await desk.ask("status")

    desk.play(scene)
    desk.path.touch()
    desk.play(scene)


def run_cli(monkeypatch: pytest.MonkeyPatch, *words: str) -> Any:
    monkeypatch.setattr("sys.argv", ["cloud-relay", *words])
    with pytest.raises(SystemExit) as caught:
        main()
    return caught.value.code


def test_a_relay_that_does_not_run_is_said_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run_cli(monkeypatch, "held", "list", "--socket", str(tmp_path / "none")) == 1
    assert "No relay listens at" in capsys.readouterr().err


def test_a_wrong_configuration_ends_with_status_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "relay.toml"
    file.write_text("[listen]\nprot = 1\n")
    for words in (("config", "check"), ("run",), ("sites",)):
        assert run_cli(monkeypatch, *words, "--config", str(file)) == 2
        assert f"{file}:2: listen.prot is unknown; did you mean port?" in capsys.readouterr().err


def test_the_example_can_be_printed() -> None:
    assert "[targets.main]" in CliRunner().invoke(app, ["config", "example"]).output


def test_every_command_has_an_example_in_its_help() -> None:
    groups = [app, *(group.typer_instance for group in app.registered_groups)]
    commands = [
        command.callback for group in groups if group for command in group.registered_commands
    ]
    assert len(commands) > 15
    for command in commands:
        assert command is not None
        assert "Example" in str(command.__doc__), command.__name__
    assert "Example: cloud-relay sites" in CliRunner().invoke(app, ["sites", "--help"]).output


def test_the_version_is_said() -> None:
    assert CliRunner().invoke(app, ["--version"]).output.startswith("cloud-relay ")


def test_a_time_without_a_zone_is_refused() -> None:
    words = ["targets", "resume", "main", "--replay-since", "2026-11-23T10:00:00"]
    assert CliRunner().invoke(app, words).exit_code == 2


def test_errors_of_the_socket_are_ours(tmp_path: Path) -> None:
    with pytest.raises(EdgeError):
        ask(tmp_path, "status")
