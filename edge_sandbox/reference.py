"""What the documentation says of both programs, made of the programs themselves.

``python -m edge_sandbox.reference docs`` writes the references of the configuration and of device
profiles and the page on bad input; ``--check`` says whether they drifted.
"""

from __future__ import annotations

import sys
from pathlib import Path

from cloud_relay import config as relay_config
from edge_agent import config as agent_config
from edge_agent.devices.complaints import COMPLAINTS
from edge_agent.devices.profiles import reference as profiles
from edge_agent.outbox.settings import OutboxSettings


def configuration() -> str:
    """Every section and key of both files, with their defaults."""
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


def bad_input() -> str:
    """What a payload that makes no sense gets, by its code."""
    rows = "\n".join(f"| `{code}` | {means} |" for code, means in COMPLAINTS.items())
    return f"""# What input that makes no sense gets

It is **quarantined**: kept with its bytes (of a very long one its head), counted, and answered to
its device with `feedback` of stage `quarantined`, a bad tone and a sentence. It is never applied
and never guessed at, and its neighbours do not wait for it.

    edge-agent quarantine list            # what is there, with the reason
    edge-agent quarantine show NUMBER     # one, with its bytes

| code | what is wrong |
| --- | --- |
{rows}
| `content_conflict` | The device used the id before for something else: the first one counts. |

A device that writes on another's topic is stopped by the broker's access list and reaches nobody.

This page is generated from `edge_agent/devices/complaints.py`.
"""


PAGES = {
    "reference/configuration.md": configuration,
    "reference/profile.md": profiles.page,
    "reference/profile.schema.json": profiles.schema_text,
    "bad-input.md": bad_input,
}


def main(arguments: list[str]) -> int:
    """Write the pages below the directory named, or with ``--check`` compare them."""
    folders = [argument for argument in arguments if not argument.startswith("--")]
    if len(folders) != 1 or set(arguments) - set(folders) - {"--check"}:
        sys.stderr.write("usage: python -m edge_sandbox.reference DOCS [--check]\n")
        return 2
    drifted = []
    for name, page in PAGES.items():
        path = Path(folders[0], name)
        if path.is_file() and path.read_text(encoding="utf-8") == page():
            continue
        drifted.append(name)
        if "--check" not in arguments:
            path.write_text(page(), encoding="utf-8")
    if drifted and "--check" in arguments:
        sys.stderr.write(f"drifted: {', '.join(drifted)}. Run `make reference`.\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
