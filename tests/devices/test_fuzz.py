"""A few inputs that nobody meant through every decoder, and decoders that the search catches."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edge_agent.devices.profiles.library import ProfileLibrary
from edge_sandbox.fuzz import Found, Target, run, scale_targets, targets


@pytest.fixture(scope="module")
def sma() -> Target:
    [found] = [one for one in scale_targets(ProfileLibrary()) if one.protocol == "sma"]
    return found


def test_no_decoder_fails_or_invents_a_weight() -> None:
    seen = run(targets(), 4000, seed=20)
    assert seen["ok"] > 500
    assert seen["error"] > 500


def test_the_same_seed_gives_the_same_inputs(sma: Target) -> None:
    assert run([sma], 300, seed=3) == run([sma], 300, seed=3)


def test_a_decoder_that_raises_is_found(sma: Target) -> None:
    def fragile(frame: bytes, command: str | None) -> dict[str, Any]:
        frame.decode("ascii")
        return sma.decode(frame, command)

    with pytest.raises(Found, match="it failed: UnicodeDecodeError"):
        run([replace(sma, decode=fragile)], 2000, seed=1)


def test_a_decoder_that_reads_a_fault_as_a_weight_is_found(sma: Target) -> None:
    def careless(frame: bytes, command: str | None) -> dict[str, Any]:
        answer = sma.decode(frame, command)
        return answer | {"value": "0.00"} if answer["status"] == "overload" else answer

    with pytest.raises(Found, match=r"overload with the weight 0\.00"):
        run([replace(sma, decode=careless)], 2000, seed=1)


def test_a_decoder_that_ignores_the_status_of_a_cut_fault_is_found(sma: Target) -> None:
    def trusting(frame: bytes, command: str | None) -> dict[str, Any]:
        whole = b"\nO1G         0 kg \r"
        answer = sma.decode(frame, command)
        if answer["status"] == "error" and len(frame) > len(whole) // 2 and b"kg" in frame:
            return answer | {"status": "ok", "value": "0"}
        return answer

    with pytest.raises(Found):
        run([replace(sma, decode=trusting)], 2000, seed=1)


def test_a_weight_that_the_frame_does_not_say_is_found(sma: Target) -> None:
    def inventive(frame: bytes, command: str | None) -> dict[str, Any]:
        answer = sma.decode(frame, command)
        return answer | {"value": "98765"} if answer["status"] == "ok" else answer

    with pytest.raises(Found, match="the frame does not say 98765"):
        run([replace(sma, decode=inventive)], 200, seed=1)
