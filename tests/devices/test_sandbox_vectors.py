"""The comparison with foreign vectors, on vectors of our own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edge_sandbox.vectors import Vector, differences, main

WEIGHT = b"S S      7.250 kg\r\n"
GOOD = {"value": "7.250", "unit": "kg", "status": "ok"}


def scale(expect: dict[str, Any], identity: str = "ours-1") -> dict[str, Any]:
    frame = WEIGHT.hex()
    return {
        "id": identity,
        "protocol": "mt-sics",
        "command": "S",
        "frame_hex": frame,
        "expect": expect,
    }


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    vectors, setup = tmp_path / "vectors", tmp_path / "setup"
    vectors.mkdir()
    setup.mkdir()
    for name in ("scales", "printers", "scanners", "gs1"):
        (vectors / f"{name}.json").write_text('{"vectors": []}')
    (setup / "setup.toml").write_text("")
    return vectors, setup


def run(folders: tuple[Path, Path], *scales: dict[str, Any]) -> int:
    (folders[0] / "scales.json").write_text(json.dumps({"vectors": scales}))
    return main([str(folder) for folder in folders])


def test_vectors_that_decode_as_expected_are_counted(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folders, scale(GOOD)) == 0
    out = capsys.readouterr().out
    assert "all as expected or explained" in out
    assert out.splitlines()[1].split() == ["mt-sics", "1", "1", "0", "0"]


def test_a_difference_ends_with_1_and_is_named_by_its_key(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folders, scale({**GOOD, "value": "7.251"})) == 1
    out = capsys.readouterr().out
    assert 'ours-1: value: expected "7.251", got "7.250"' in out
    assert "on the command line" in out


def test_a_vector_that_is_wrong_is_explained_and_only_as_long_as_it_is(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    (folders[1] / "setup.toml").write_text('[wrong]\nours-1 = "The manual says otherwise."\n')
    assert run(folders, scale({**GOOD, "value": "7.251"})) == 0
    assert run(folders, scale(GOOD)) == 1
    assert "need not be explained" in capsys.readouterr().out


def test_a_folder_that_is_not_there_is_said_and_is_no_success(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(folders[0] / "none"), str(folders[1])]) == 2
    assert "There are no vectors" in capsys.readouterr().err


def compared(expect: dict[str, Any], found: dict[str, Any], protocol: str = "tspl") -> list[str]:
    return differences(Vector("x", protocol, b"", None, expect), found)


def test_more_than_expected_is_fine_and_less_is_not() -> None:
    assert compared({"a": 1}, {"a": 1, "b": 2}) == []
    assert compared({"a": None}, {}) != []


def test_lists_are_sets_but_for_the_elements_of_gs1() -> None:
    assert compared({"a": ["x", "y"]}, {"a": ["y", "x"]}) == []
    assert compared({"a": ["x"]}, {"a": ["x", "y"]}) != []
    assert compared({"a": ["x", "y"]}, {"a": ["y", "x"]}, "gs1") != []


def test_true_is_not_one_and_a_number_is_no_text() -> None:
    assert compared({"a": True}, {"a": 1}) != []
    assert compared({"a": "1"}, {"a": 1}) != []


@pytest.mark.parametrize(
    "expect",
    [
        {"data": "A"},
        {"n": 1},
        {"epcs": ["A"]},
        {"scans": [{"data": "A", "symbology": "EAN-13"}]},
        {"reads": [{"epc": "A", "time": "2026-01-02T03:04:05Z"}]},
        {"noread": False},
    ],
)
def test_of_a_scanner_the_data_of_every_read_is_binding(expect: dict[str, Any]) -> None:
    read = {"data": "A", "time": "2026-01-02T03:04:05.000000+00:00"}
    assert compared(expect, {"reads": [read], "noread": False}, "scanner") == []
    other = {"reads": [{**read, "data": "B"}, read], "noread": True}
    assert compared(expect, other, "scanner") != []
