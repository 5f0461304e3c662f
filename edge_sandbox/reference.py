"""The configuration's reference, made of the two example files that the programs print.

``python -m edge_sandbox.reference docs`` writes it, ``--check`` says whether it drifted.
"""

from __future__ import annotations

import sys
from pathlib import Path

from cloud_relay import config as relay_config
from edge_agent import config as agent_config
from edge_agent.outbox.settings import OutboxSettings

NAME = "reference/configuration.md"


def page() -> str:
    """The page: every section and key of both files, with their defaults."""
    return f"""# Configuration

Both programs read one TOML file and check it before anything starts; a mistake is named with its
line, its key and what to do. Paths that are relative are those of the file's own folder. Secrets
stand in files of their own.

| | agent | relay |
| --- | --- | --- |
| configuration | `{agent_config.DEFAULT_PATH}` | `{relay_config.DEFAULT_PATH}` |
| store | `{OutboxSettings().path}` | `{relay_config.InboxSection().path}` |
| local socket | `{agent_config.StatusSettings().socket}` | `{relay_config.DEFAULT_SOCKET}` |
| listens on | nothing | `{relay_config.Listen().host}:{relay_config.Listen().port}` (HTTP) |
| an example | `edge-agent config example` | `cloud-relay config example` |
| a check | `edge-agent config check` | `cloud-relay config check` |

The broker of the site listens on 1883 unless `[mqtt]` says otherwise.

## `agent.toml`

```toml
{agent_config.example().strip()}
```

## `relay.toml`

```toml
{relay_config.example().strip()}
```

This page is generated from the programs.
"""


def main(arguments: list[str]) -> int:
    """Write the page below the directory named, or with ``--check`` compare it."""
    folders = [argument for argument in arguments if not argument.startswith("--")]
    if len(folders) != 1 or set(arguments) - set(folders) - {"--check"}:
        sys.stderr.write("usage: python -m edge_sandbox.reference DOCS [--check]\n")
        return 2
    path = Path(folders[0], NAME)
    if path.is_file() and path.read_text(encoding="utf-8") == page():
        return 0
    if "--check" in arguments:
        sys.stderr.write(f"{NAME} drifted from the programs. Run `make reference`.\n")
        return 1
    path.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
