"""Where things are unless said otherwise."""

from __future__ import annotations

from pathlib import Path

#: The agent's configuration.
DEFAULT_PATH = Path("/etc/warehouse-edge/agent.toml")
