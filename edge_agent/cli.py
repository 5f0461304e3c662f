"""``edge-agent``: the console script.

Commands stand in ``cli_app.py``. ``decode`` alone is run past it, because scripts call it thousands
of times and the command framework costs more than the decoding.
"""

from __future__ import annotations

import sys

from edge_contract.errors import EdgeError

#: Codes of errors that mean the configuration, or how the command was used.
_WRONG = frozenset({"configuration", "secret", "misuse", "unknown-printer"})


def main() -> None:
    """Errors are one sentence on stderr; the exit status is 2 for what the caller must correct
    (the configuration, a profile, the command itself), else 1."""
    try:
        if sys.argv[1:2] == ["decode"]:
            from edge_agent.cli_decode import run_decode

            run_decode(sys.argv[2:])
        else:
            from edge_agent.cli_app import app

            app()
    except EdgeError as error:
        print(f"edge-agent: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(2 if getattr(error, "code", "") in _WRONG else 1)
    except (KeyboardInterrupt, BrokenPipeError):
        sys.exit(130)
