"""Named places where a fault campaign may end the process, as a power cut or ``kill -9`` would.

Between a commit and its acknowledgement there is no await and no signal to wait for, so the places
that matter have names. ``WAREHOUSE_EDGE_KILL=name:3`` ends the process the third time ``name`` is
reached. Without the variable a call costs one comparison.
"""

from __future__ import annotations

import os
import signal

VARIABLE = "WAREHOUSE_EDGE_KILL"

_name, _, _count = os.environ.get(VARIABLE, "").partition(":")
_left = int(_count or 1)


def reached(name: str) -> None:
    """Say that the place ``name`` (``part.place``) is reached; may not return."""
    global _left
    if name != _name:
        return
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
