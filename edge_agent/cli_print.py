"""``edge-agent print``: a label through the running agent, with what became of it."""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from edge_agent.cli_options import DEFAULT_PATH, AsJson, ConfigPath, print_json, socket_of
from edge_contract.errors import Rejected

#: As much as the agent's socket takes of one question, in base64.
_MOST_BYTES = 1_500_000
_PROOFS = (
    "sent, and nothing heard of it",
    "the printer says that it is done",
    "the printer's counter rose by it",
    "the printer told that it printed it",
)


def print_label(
    file: Annotated[Path, typer.Argument(help="In the printer's own language; - reads stdin.")],
    printer: Annotated[str, typer.Option(help="As it is named in the configuration.")],
    document: Annotated[str | None, typer.Option(help="The transfer it belongs to.")] = None,
    package: Annotated[str | None, typer.Option(help="The package it is stuck on.")] = None,
    copies: Annotated[int, typer.Option(min=1, max=10_000, help="Send it so many times.")] = 1,
    config: ConfigPath = DEFAULT_PATH,
    as_json: AsJson = False,
) -> None:
    """Print a label, wait for what becomes of it, and have it recorded as label.printed.

    Exit 0 when the printer itself said that it was printed. Exit 1 when it was not, or when that
    is not sure: look at the printer before you print it again. Nothing is ever sent twice.

    Example: edge-agent print --printer zebra-1 --package PARCEL001 label.zpl
    """
    from edge_agent.status import ask

    asked = {"document": document, "package": package}
    items = ask(
        socket_of(config),
        "print",
        printer=printer,
        copies=copies,
        data_base64=base64.b64encode(_read(file)).decode(),
        **{key: value for key, value in asked.items() if value is not None},
    )
    ended: dict[str, Any] = {}
    for item in items:
        ended = dict(item)
    if as_json:
        print_json([ended])
    elif ended.get("outcome") == "printed":
        print(f"Printed {ended['labels']} on {printer}: {_PROOFS[ended['proof']]}.")  # noqa: T201
    else:
        outcome = "is not printed" if ended.get("outcome") == "failed" else "is in doubt"
        print(f"edge-agent: The label {outcome}. {ended.get('detail', '')}", file=sys.stderr)  # noqa: T201
    raise typer.Exit(0 if ended.get("outcome") == "printed" else 1)


def _read(file: Path) -> bytes:
    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise Rejected("misuse", f"{file} cannot be read: {error.strerror or error}.") from None
    if len(data) > _MOST_BYTES:
        raise Rejected(
            "misuse", f"{file} has {len(data)} bytes, and a job has at most {_MOST_BYTES}."
        )
    return data
