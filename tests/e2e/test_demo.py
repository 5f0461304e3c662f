"""The demo itself, short: a new user's first command ends with nothing lost and nothing doubled."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from edge_sandbox.demo.cli import app


def test_a_short_shift_with_every_fault_ends_with_the_stock_that_is_on_the_shelves(
    tmp_path: Path,
) -> None:
    out = tmp_path / "out.json"
    options = f"--seed 11 --scans 150 --exit --json {out} --folder {tmp_path / 'site'}"
    done = CliRunner().invoke(app, options.split())
    assert out.is_file(), done.output
    verdict = json.loads(out.read_text(encoding="utf-8"))
    assert done.exit_code == 0, verdict["details"]
    zero = ("lost", "duplicated", "stock_mismatches", "out_of_order")
    assert {name: verdict[name] for name in zero} == dict.fromkeys(zero, 0)
    ends = verdict["applied"] + verdict["held"] + verdict["traced"]
    assert verdict["acked"] + verdict["taken"] == ends >= 150
    assert verdict["taken"], "an app that only a profile knows"
    assert verdict["traced"], "a scanner on a serial line"
    assert len(verdict["heard"]) >= 4
    assert all(verdict["heard"].values())
    assert verdict["agent_kills"]
    assert verdict["relay_kills"]
    assert verdict["uplink_cut_s"] > 0
