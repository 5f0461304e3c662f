"""A simulated printer of each language answers on its line, and its console sets its faults."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import serial

from edge_agent.devices.simulate.console import Console
from edge_agent.devices.simulate.hands import printer_hands
from edge_agent.devices.simulate.lines import PtyLine, TcpLine
from edge_agent.devices.simulate.printer_line import PrinterOnLine
from edge_agent.devices.simulate.printer_machine import Language, PrinterMachine

ASK: dict[Language, tuple[bytes, int]] = {
    "zpl": (b"~HS\r\n", 3),
    "escpos": (b"\x10\x04\x01", 1),
    "tspl": (b"\x1b!?", 1),
}


@contextlib.contextmanager
def running(
    language: Language, line: Any = PtyLine, on_label: Callable[[bytes], object] = lambda _: None
) -> Iterator[tuple[PrinterOnLine, Any, Console]]:
    with PrinterOnLine(PrinterMachine(language), line(), on_label) as printer:
        where = printer.wire.line.where
        url = where if line is PtyLine else f"socket://{where}"
        with serial.serial_for_url(url, timeout=0.05) as port:
            console = Console(printer_hands(printer), lambda said: pytest.fail(said))
            yield printer, port, console


def asked(port: Any, language: Language) -> bytes:
    question, ends = ASK[language]
    port.write(question)
    found, deadline = b"", time.monotonic() + 5
    while (found.count(b"\x03") if language == "zpl" else len(found)) < ends:
        assert time.monotonic() < deadline, found
        found += port.read(256)
    return found


@pytest.mark.parametrize("line", [PtyLine, TcpLine])
@pytest.mark.parametrize("language", ["zpl", "escpos", "tspl"])
def test_it_answers_in_its_language_and_shows_its_faults(language: Language, line: Any) -> None:
    with running(language, line) as (_, port, console):
        ready = asked(port, language)
        console.do("paused")
        assert asked(port, language) != ready
        console.do("paused off")
        assert asked(port, language) == ready


def test_a_zebra_with_its_head_open_is_silent_unless_it_talks() -> None:
    with running("zpl") as (_, port, console):
        asked(port, "zpl")
        console.do("head-open")
        port.write(b"~HS\r\n")
        assert port.read(64) == b""
        console.do("talks")
        assert asked(port, "zpl").split(b"\x02")[2].split(b",")[2] == b"1"


def test_what_was_printed_is_told_and_counted_and_pushed() -> None:
    labels: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)
        with running("zpl", TcpLine, labels.append) as (printer, port, console):
            console.do("odometer 41")
            console.do(f"alerts 127.0.0.1:{server.getsockname()[1]}")
            port.write(b"^XA^FDone^FS^PQ1^XZ")
            connection, _ = server.accept()
            with connection:
                connection.settimeout(5)
                assert connection.recv(100).startswith(b"ALERT: PQ JOB COMPLETED")
            deadline = time.monotonic() + 5
            while not labels:
                assert time.monotonic() < deadline
                time.sleep(0.005)
            assert labels == [b"^XA^FDone^FS^PQ1^XZ"]
            assert printer.machine.odometer == 42
