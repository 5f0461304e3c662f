"""The scale and the printer of the demo's packing table: real lines, simulated devices."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType

from edge_agent.devices.simulate.printer import SimulatedPrinter
from edge_agent.devices.simulate.scale import SimulatedScale
from edge_sandbox.demo.plan import Step

SCALE, PRINTER = "scale-1", "label-1"


class Floor:
    """A scale on a pseudo-terminal and a label printer on a TCP port."""

    def __init__(self) -> None:
        self.scale = SimulatedScale()
        self.printer = SimulatedPrinter()
        self.weighed = 0
        """Parcels that were put on the scale."""
        self._stack = ExitStack()

    def __enter__(self) -> Floor:
        with ExitStack() as stack:
            stack.enter_context(self.scale)
            stack.enter_context(self.printer)
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
            "override.scale.poll_interval_s = 0.1\n\n"
            f'[devices.{PRINTER}]\nprofile = "zebra-zpl"\n'
            f'host = "{self.printer.host}:{self.printer.port}"\n'
            "override.printer = { poll_interval_s = 1, timeout_s = 1 }\n"
        )

    def before_scan(self, step: Step) -> None:
        """A parcel lies on the scale before it is recorded as packed."""
        if step.kind == "package.packed" and "weight" in step.data:
            self.scale.put(step.data["weight"])
            self.weighed += 1

    def media_out(self) -> None:
        self.printer.media_out = True

    def media_in(self) -> None:
        self.printer.media_out = False
