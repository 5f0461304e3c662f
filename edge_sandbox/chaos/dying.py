"""In the process that is to die: patches the event loop and the named places, then says nothing.

``asyncio.events.Handle._run`` runs every callback of the loop: each step of a task between two
awaits, each timer, each wake from another thread. Dying instead of the N-th leaves behind exactly
what a power cut between two awaits would.
"""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio import events
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge_contract import killpoint
from edge_sandbox.chaos.control import Control

_ROOT = Path(__file__).parents[2]
_OURS = tuple(
    str(_ROOT / name) + os.sep
    for name in ("edge_contract", "edge_storage", "edge_agent", "cloud_relay")
)


def arm(control: Control, trace: Path | None) -> None:
    """Patch this process. ``trace``: a file that gets every place of a counted callback, a line
    each (a calibration)."""
    run = events.Handle._run
    log = None if trace is None else trace.open("a", encoding="utf-8", buffering=1)

    def counted_run(handle: events.Handle) -> None:
        if control.counting:
            if log is not None:
                log.write(place_of(handle) + "\n")
            if control.counted():
                die(control, place_of(handle))
        elif control.waits_for_await:
            place = place_of(handle)
            if control.passed(place):
                die(control, place)
        run(handle)

    def reached(name: str) -> None:
        if control.passed(name):
            die(control, name)

    setattr(events.Handle, "_run", counted_run)  # noqa: B010 - a private method, on purpose
    killpoint.reached = reached


def die(control: Control, place: str) -> None:
    control.dying(place)
    os.kill(os.getpid(), signal.SIGKILL)


def place_of(handle: Any) -> str:
    """``await:CALLER:LINE>…>CALLEE:LINE``: our coroutines down to where the task waits that this
    callback wakes; for other callbacks the name of what is called."""
    callback = handle._callback
    owner = getattr(callback, "__self__", None)
    if isinstance(owner, asyncio.Task):
        chain = ">".join(_chain(owner.get_coro()))
        return f"await:{chain}" if chain else f"task:{owner.get_name()}"
    name = getattr(callback, "__qualname__", type(callback).__name__)
    return f"callback:{name}"


def _chain(coroutine: Any) -> Iterator[str]:
    """The frames of ours on a task's chain of awaits, outermost first."""
    while coroutine is not None:
        frame = _first(coroutine, "cr_frame", "gi_frame", "ag_frame")
        if frame is not None and frame.f_code.co_filename.startswith(_OURS):
            name = frame.f_code.co_qualname.replace("<locals>.", "")
            yield f"{Path(frame.f_code.co_filename).stem}.{name}:{frame.f_lineno}"
        coroutine = _first(coroutine, "cr_await", "gi_yieldfrom", "ag_await")


def _first(of: Any, *names: str) -> Any:
    return next((found for name in names if (found := getattr(of, name, None)) is not None), None)
