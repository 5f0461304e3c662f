"""``edge-agent profiles``: the kinds of devices that the agent knows, as data."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge_agent.cli_options import DEFAULT_PATH, AsJson, ConfigPath, print_json, show

if TYPE_CHECKING:
    from edge_agent.devices.profiles.library import ProfileLibrary

profiles_app = typer.Typer(
    no_args_is_help=True,
    help="The kinds of devices the agent knows: one TOML file each, and yours beside agent.toml.",
)


@profiles_app.command("list")
def profiles_list(
    config: ConfigPath = DEFAULT_PATH,
    device_class: Annotated[
        str | None, typer.Option("--class", help="Only these: scale, scanner or printer.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Every profile: those that come with the agent, and this site's own, which win.

    Examples: edge-agent profiles list · edge-agent profiles list --class scale
    """
    from edge_agent.view_devices import profiles_view
    from edge_contract.errors import Rejected

    if device_class not in (None, "scale", "scanner", "printer"):
        raise Rejected("misuse", "--class is one of scale, scanner and printer.")
    library = _library(config)
    rows = [_row(library, name, origin) for name, origin in library.names().items()]
    show(
        [row for row in rows if device_class in (None, row["class"])],
        profiles_view,
        as_json,
    )


@profiles_app.command("show")
def profiles_show(name: str, config: ConfigPath = DEFAULT_PATH, as_json: AsJson = False) -> None:
    """Print a profile as TOML, with where it comes from: something to begin one of your own with.

    Examples: edge-agent profiles show mt-sics · edge-agent profiles show mt-sics >
    profiles/our-scale.toml
    """
    library = _library(config)
    text, file = library.text(name)
    origin = library.names()[name]
    if as_json:
        profile = library.get(name).model_dump(mode="json", exclude_unset=True)
        print_json([{"name": name, "origin": origin, "text": text, "profile": profile}])
        return
    comes = "comes with the agent" if origin == "shipped" else file
    print(f"# {name}: {comes}\n{text}", end="")  # noqa: T201 - what was asked for


@profiles_app.command("check")
def profiles_check(
    files: Annotated[list[Path], typer.Argument(help="Files of profiles.")], as_json: AsJson = False
) -> None:
    """Check files of profiles: every mistake with its line. Exit 2 when one is wrong.

    Example: edge-agent profiles check profiles/our-scale.toml
    """
    from edge_agent.devices.profiles.checking import checked

    found = [checked(path) for path in files]
    if as_json:
        print_json([[one.document() for one in found]])
    for one in () if as_json else found:
        for mistake in one.mistakes:
            at = f"{one.file}:{mistake.line}" if mistake.line else one.file
            print(f"{at}: {mistake.message}", file=sys.stderr)  # noqa: T201
        if one.mistakes:
            print(one.remedy, end="\n" if one.remedy else "", file=sys.stderr)  # noqa: T201
        elif one.profile is not None:
            kind = one.profile.device_class
            also = "; it replaces the one that comes with the agent" if one.replaces else ""
            print(f"{one.file} is in order: {kind}, {one.profile.title}{also}.")  # noqa: T201
    if any(one.mistakes for one in found):
        raise typer.Exit(2)


@profiles_app.command("schema")
def profiles_schema() -> None:
    """Print the JSON Schema of a profile, for editors that complete and check TOML.

    Example: edge-agent profiles schema > profile.schema.json
    """
    from edge_agent.devices.profiles.reference import schema_text

    print(schema_text(), end="")  # noqa: T201 - what was asked for


def _library(config: Path) -> ProfileLibrary:
    from edge_agent.devices.profiles.library import ProfileLibrary, site_folder

    return ProfileLibrary(site_folder(config))


def _row(library: ProfileLibrary, name: str, origin: str) -> dict[str, Any]:
    from edge_contract.toml_errors import ConfigurationError

    row: dict[str, Any]
    try:
        profile = library.get(name)
    except ConfigurationError as error:
        first = error.message.splitlines()[0]
        row = {"class": None, "title": None, "transports": [], "speaks": None, "error": first}
    else:
        row = {
            "class": profile.device_class,
            "title": profile.title,
            "transports": profile.transports,
            "speaks": profile.speaks,
            "error": None,
        }
    return {"name": name, **row, "origin": origin}
