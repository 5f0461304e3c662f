"""What is known of the devices' clocks, kept over a restart of the agent.

After ``kill -9`` the broker delivers at once what it kept, long before any device says the time
again: those events need the offset that was measured before. A file that is missing, old or broken
costs nothing but that, so it is written without syncing and read without complaint.
"""

from __future__ import annotations

import contextlib
import json
import logging
from pathlib import Path

from edge_agent.devices.presence import Presence

_log = logging.getLogger(__name__)


class RememberedClocks:
    """A small JSON file beside the outbox."""

    def __init__(self, path: Path, presence: Presence) -> None:
        """Reads ``path`` into ``presence`` if it can."""
        self._path = path
        self._presence = presence
        self._written = 0
        try:
            presence.restore(json.loads(path.read_text()))
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            _log.warning("The devices' clocks in %s are measured anew: %s", path, error)

    def save(self) -> None:
        """Write what was measured since the last time; never raises."""
        measured = self._presence.measured
        if measured == self._written:
            return
        self._written = measured
        draft = self._path.with_suffix(".new")
        with contextlib.suppress(OSError):  # a full disk: the next life measures anew
            draft.write_text(json.dumps(self._presence.dump()))
            draft.replace(self._path)
