"""``edge-agent decode``: what one frame of a device means.

Parsed by argparse and not by the framework of the other commands, for its start (see ``cli.py``).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge_contract.errors import EdgeError, Rejected

_SEPARATORS = re.compile(r"0[xX]|[\s:,-]")
_HELP = """\
Print what one frame means, as one JSON object. A frame that makes no sense gives
"status": "error" and exit 0; exit 2 means that the command itself is wrong. Nothing is
stored and no device is touched.

protocols:
  scales     mt-sics, toledo-8217, toledo-continuous, nci-scp01, sma, and-standard,
             sartorius-sbi, ohaus, adam, regex (with --profile)
  printers   zpl-hs, zpl-hi, zpl-hqes, zpl-sgd, zebra-alert, escpos, tspl
  others     gs1; scanner (with --profile, else a generic one)
"""
_EXAMPLES = """\
examples:
  edge-agent decode --protocol mt-sics --hex "53 20 53 20 31 2e 35 20 6b 67 0d 0a"
  edge-agent decode --protocol escpos --command "DLE EOT 4" --hex 12
  edge-agent decode --protocol scanner --profile our-scanner --hex 414243310d
  edge-agent decode --protocol zpl-hs --hex ""                 (silence, which is a fault)
  xxd -p frame.bin | edge-agent decode --protocol sma --hex -
"""


def run_decode(arguments: Sequence[str]) -> None:
    """The command. Raises ``EdgeError``; SystemExit (2) when the arguments are wrong."""
    parser = argparse.ArgumentParser(
        "edge-agent decode",
        description=_HELP,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("-p", "--protocol", required=True, help="what the device speaks")
    parser.add_argument(
        "--hex", required=True, help="the frame in hex digits; '' is silence, - reads stdin"
    )
    parser.add_argument(
        "--command", metavar="TEXT", help="what the frame answers, where that matters"
    )
    parser.add_argument(
        "--profile", metavar="NAME", help="how the device is set up (edge-agent profiles list)"
    )
    parser.add_argument(
        "-c",
        "--config",
        type=Path,
        metavar="FILE",
        default=os.environ.get("EDGE_AGENT_CONFIG") or None,
        help="its folder's profiles/ count, too [env var: EDGE_AGENT_CONFIG]",
    )
    # It prints nothing but JSON; scripts that say so everywhere may say so here.
    parser.add_argument("--json", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    frame = frame_of(sys.stdin.read() if options.hex == "-" else options.hex)
    command = command_of(options.command)
    found = _decoded(options.protocol, frame, command, options.profile, options.config)
    print(json.dumps(found, ensure_ascii=False))  # noqa: T201 - what was asked for


def _decoded(
    protocol: str, frame: bytes, command: str | None, profile: str | None, config: Path | None
) -> dict[str, Any]:
    # Pydantic would look through every installed package for plugins, each time.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from edge_agent.devices.decoding import decode

    try:
        return decode(protocol, frame, command, profile, config)
    except EdgeError:
        raise
    except Exception as error:  # noqa: BLE001 - scripts go on with the next frame
        print(f"edge-agent: decoding failed: {error!r}. Report this defect.", file=sys.stderr)  # noqa: T201
        return {"status": "error", "value": None, "detail": "defect"}


def frame_of(text: str) -> bytes:
    """The bytes of hex digits as people paste them. Raises ``Rejected`` (``misuse``)."""
    digits = _SEPARATORS.sub("", text)
    wrong = re.search(r"[^0-9A-Fa-f]", digits)
    if wrong:
        raise Rejected(
            "misuse", f"--hex takes pairs of hex digits, as '02 31 0d': {wrong[0]!r} is none."
        )
    if len(digits) % 2:
        raise Rejected(
            "misuse", f"--hex takes pairs of hex digits: {len(digits)} is an odd number."
        )
    return bytes.fromhex(digits)


def command_of(text: str | None) -> str | None:
    """A command with its escapes (``\\x1b!?``) undone; without them it is what it is."""
    from edge_agent.devices.escapes import unescaped

    if text is None or "\\" not in text:
        return text
    try:
        return unescaped(text).decode()
    except ValueError:
        return text
