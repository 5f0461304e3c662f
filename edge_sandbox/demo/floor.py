"""The demo's devices that have lines of their own: scales, a label printer, a bench's scanner."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType

from edge_agent.devices.profiles.library import ProfileLibrary
from edge_agent.devices.simulate.lines import TcpLine
from edge_agent.devices.simulate.printer import SimulatedPrinter
from edge_agent.devices.simulate.scale import SimulatedScale
from edge_sandbox.demo import bench, lift
from edge_sandbox.demo.plan import BENCH, LIFT, PRODUCTS, Step

SCALE, DOCK_SCALE, PRINTER = "scale-1", "scale-2", "label-1"
STATION = "packing"
#: What each device is, for people and for the count of who was heard.
CLASSES = {
    SCALE: "scale",
    DOCK_SCALE: "scale",
    PRINTER: "printer",
    BENCH: "serial scanner",
    LIFT: "app by profile",
}


class Floor:
    """An MT-SICS scale and a scanner on serial lines at the packing bench, a Toledo scale behind a
    serial device server at the dock, and a label printer on the network."""

    def __init__(self) -> None:
        toledo = ProfileLibrary().get("toledo-8217").scale
        self.scale = SimulatedScale()
        self.dock_scale = SimulatedScale(profile=toledo, line=TcpLine())
        self.printer = SimulatedPrinter()
        self.bench = bench.BenchScanner()
        self.weighed = 0
        """Loads that were put on a scale."""
        self._stack = ExitStack()

    def __enter__(self) -> Floor:
        with ExitStack() as stack:
            for device in (self.scale, self.dock_scale, self.printer, self.bench):
                stack.enter_context(device)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def agent_options(self) -> str:
        """Their sections of ``agent.toml``."""
        return (
            f'[devices.{SCALE}]\nprofile = "mt-sics"\nport = "{self.scale.port}"\n'
            f'station = "{STATION}"\noverride.scale.poll_interval_s = 0.1\n\n'
            f'[devices.{DOCK_SCALE}]\nprofile = "toledo-8217"\n'
            f'port = "socket://{self.dock_scale.port}"\n'
            'override.scale = { poll_interval_s = 0.1, unit = "kg" }\n\n'
            f'[devices.{PRINTER}]\nprofile = "zebra-zpl"\n'
            f'host = "{self.printer.host}:{self.printer.port}"\n'
            "override.printer = { poll_interval_s = 1, timeout_s = 1 }\n\n"
            f'[devices.{BENCH}]\nprofile = "{bench.PROFILE}"\nport = "{self.bench.port}"\n'
            f'station = "{STATION}"\noverride.scanner.answer_good = "\\u0006"\n\n'
            f'[devices.{lift.SECTION}]\nprofile = "{lift.PROFILE}"\n\n'
            f'[stations.{STATION}]\ndevices = ["pack-1"]\npackage_labels = "PARCEL[0-9]+"\n'
        )

    def before_scan(self, step: Step) -> None:
        """A parcel lies on its scale before its label is scanned, and sand before it is stored."""
        if step.kind == "package.packed" and "weight" in step.data:
            self.scale.put(step.data["weight"])
            self.weighed += 1
        elif step.kind == "label.printed":
            self.scale.put("0.000")
        elif step.device == "dock-1" and step.data.get("barcode") == PRODUCTS["sand"].barcode:
            self.dock_scale.put(step.data["quantity"])
            self.weighed += 1

    def media_out(self) -> None:
        self.printer.media_out = True

    def media_in(self) -> None:
        self.printer.media_out = False

    def scanner_out(self) -> None:
        self.bench.scanner.unplug()

    def scanner_in(self) -> None:
        self.bench.scanner.replug()

    def scale_trouble(self) -> None:
        """Noise, then a display that shows an overload until the next load."""
        self.scale.noise(b"\xff\x00S S    666 k")
        self.scale.fault("overload")
