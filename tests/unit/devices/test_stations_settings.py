"""``[stations]``: which device stands where."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from edge_agent.config import load
from edge_agent.devices.profiles.library import ProfileLibrary
from edge_agent.devices.profiles.resolve import configured_devices
from edge_agent.devices.stations.pairing import Bench
from edge_agent.devices.stations.settings import benches_of
from edge_contract.toml_errors import ConfigurationError

START = """
[site]
name = "dc1"
agent = "dock-a"
"""
SCALE = """
[devices.scale-1]
profile = "mt-sics"
port = "/dev/ttyUSB0"
station = "bench-1"
"""


def benches(folder: Path, text: str) -> dict[str, Bench]:
    path = folder / "agent.toml"
    path.write_text(START + text)
    config = load(path)
    devices = configured_devices(config.devices, ProfileLibrary(config.profiles))
    return {bench.name: bench for bench in benches_of(devices, config.stations)}


def mistake(folder: Path, text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        benches(folder, text)
    return caught.value.message


def test_a_station_is_what_its_devices_name_and_needs_no_section(tmp_path: Path) -> None:
    assert benches(tmp_path, SCALE) == {"bench-1": Bench("bench-1", frozenset({"scale-1"}))}
    assert benches(tmp_path, "") == {}


def test_handhelds_are_named_in_the_section_with_what_is_otherwise_there(tmp_path: Path) -> None:
    section = """
[stations.bench-1]
devices = ["pack-1", "pack-2"]
window_s = 30
empty_up_to = "0.050"
package_labels = "BOX[0-9]{4}"
"""
    bench = benches(tmp_path, SCALE + section)["bench-1"]
    assert bench.devices == {"scale-1", "pack-1", "pack-2"}
    assert bench.window == timedelta(seconds=30)
    assert bench.empty_up_to == Decimal("0.050")
    assert bench.labels.fullmatch("BOX0001")


def test_a_fleet_stands_nowhere_its_devices_do(tmp_path: Path) -> None:
    profile = tmp_path / "profiles" / "reader.toml"
    profile.parent.mkdir()
    profile.write_text(
        'title = "Reader"\n[mqtt]\ntopic = "x/{device}/tags"\n[scanner]\nformat = "json"'
    )
    fleet = '[mqtt]\n[devices.readers]\nprofile = "reader"\nstation = "bench-1"\n'
    assert "name those that stand at the station in [stations.bench-1]" in mistake(tmp_path, fleet)
    one = fleet + 'topic = "x/17/tags"\n'
    assert benches(tmp_path, one)["bench-1"].devices == {"readers"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            SCALE + SCALE.replace("scale-1", "scale-2").replace("USB0", "USB1"),
            "has the scale scale-1 already",
        ),
        (SCALE + '[stations.bench-2]\ndevices = ["scale-1"]', "scale-1 stands at bench-"),
        ('[stations.a]\ndevices = ["p"]\n[stations.b]\ndevices = ["p"]', "p stands at a already"),
        ("[stations.a]\nwindow_s = 0", "window_s"),
        ('[stations.a]\npackage_labels = "("', "is no regular expression"),
        ("[stations.a]\nempty_up_to = 0.05", "decimal string"),
        ("[stations.A]\ndevices = []", "stations"),
        ("[stations.a]\nwindow = 3", "window"),
    ],
)
def test_a_mistake_is_named_with_what_to_do(tmp_path: Path, text: str, says: str) -> None:
    assert says in mistake(tmp_path, text)
