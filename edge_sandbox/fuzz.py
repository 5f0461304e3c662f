"""Bytes that nobody meant, through every decoder: ``make fuzz FUZZ_ARGS="--inputs 1000000"``.

Each input is a frame that a device could send with something wrong about it (bits turned over,
bytes lost, doubled or from another protocol, cut anywhere, two glued), or no frame at all. Checked
for every one of them:

- the decoder answers, and with an object that JSON can carry;
- a value stands only with the status ``ok``, and is made of digits that the frame has, in order;
- a frame that says a fault, cut anywhere, is no weight;
- a stream that begins in the middle of a frame gives no other weight than those that were sent.

One seed, one sequence of inputs: ``--seed`` repeats a run, and a finding is printed with its bytes.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from edge_agent.devices.decoding import PROTOCOLS
from edge_agent.devices.gs1.decoding import decode_gs1
from edge_agent.devices.gs1.reading import read_gs1
from edge_agent.devices.profiles.library import ProfileLibrary
from edge_agent.devices.scales.codec import scale_codec
from edge_agent.devices.scales.decoding import decode_scale
from edge_agent.devices.scales.encoding import Fault, encode
from edge_agent.devices.scales.profile import ScaleProfile
from edge_agent.devices.scanners.decoding import decode_scanner
from edge_agent.devices.scanners.profile import ScannerProfile

Object = dict[str, Any]
Decode = Callable[[bytes, str | None], Object]

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_COMMANDS = (None, "S", "SI", "W", "Z", "~HS", "~HQES", "DLE EOT 1", "DLE EOT 4", "<ESC>!?", "P")
_FAULTS: tuple[Fault, ...] = get_args(Fault)
#: Bytes that mean something to one protocol or another.
_MEANT = b'\x00\x02\x03\x04\x05\x06\x0a\x0d\x10\x15\x1b\x1d ?+-.,;[]{}:"SDNGTOUE0123456789kgl'
#: So many inputs between two looks at the clock.
_TURN = 1000


class Found(Exception):
    """A decoder did what none may do."""

    def __init__(self, protocol: str, frame: bytes, command: str | None, why: str) -> None:
        super().__init__(f"{protocol}: {why}; --hex {frame.hex()} --command {command!r}")


@dataclass(frozen=True, slots=True)
class Target:
    """One decoder, and frames that it understands."""

    protocol: str
    decode: Decode
    good: tuple[bytes, ...]
    scale: ScaleProfile | None = None


def scale_targets(library: ProfileLibrary) -> Iterator[Target]:
    """Every shipped profile of a scale."""
    for name in library.names():
        profile = library.get(name).scale
        if profile is not None:
            yield Target(name, _scale_decoder(profile), tuple(_frames(profile)), profile)


def scanner_targets(library: ProfileLibrary) -> Iterator[Target]:
    """Every shipped profile of a scanner, and GS1 itself."""
    labels = (
        b"4006381333931\r", b"]C10109506000134352\x1d10LOT7\r", b"\x02]E04006381333931\x03\r\n",
        b'{"data":{"idHex":"e28011606000"},"timestamp":"2026-11-25T10:00:00.000+0000"}',
        b'[{"code":"A1"},{"code":"A2"}]', b"NOREAD\r", b"https://id.gs1.org/01/09506000134352",
    )  # fmt: skip
    for name in library.names():
        profile = library.get(name).scanner
        if profile is not None:
            yield Target(name, _scanner_decoder(profile), labels)
    yield Target("gs1", lambda frame, _command: decode_gs1(frame), labels)
    yield Target("gs1 at intake", lambda frame, _command: _intake(frame), labels)


def printer_targets() -> Iterator[Target]:
    """Every language of a printer."""
    from edge_agent.devices.printers.decoding import decode_printer

    status = (
        b"\x02030,0,0,1245,000,0,0,0,000,0,0,0\x03\r\n\x02000,0,0,0,1,2,6,0,00000000,1,000\x03\r\n"
        b"\x021234,0\x03\r\n"
    )
    alert = b"ALERT: PAPER OUT SET"
    errors = b"\x02\r\n PRINTER STATUS\r\n ERRORS: 1 00000000 00000005\r\n WARNINGS: 0 0 0\r\n\x03"
    for protocol, kind in PROTOCOLS.items():
        if kind == "printer":

            def decode(frame: bytes, command: str | None, protocol: str = protocol) -> Object:
                return decode_printer(protocol, frame, command)

            yield Target(protocol, decode, (status, alert, errors, b"\x12", b"\x00", b'"123"'))


def targets() -> list[Target]:
    """All of them."""
    library = ProfileLibrary()
    return [*scale_targets(library), *printer_targets(), *scanner_targets(library)]


def run(
    targets: Sequence[Target], inputs: int, seed: int, say: Callable[[int], None] | None = None
) -> Counter[str]:
    """So many inputs, all targets in turns; answers how many of each status there were.

    Raises :class:`Found` at the first that is wrong.
    """
    chance = random.Random(seed)
    seen: Counter[str] = Counter()
    foreign = [frame for target in targets for frame in target.good]
    for number in range(inputs):
        target = targets[number % len(targets)]
        command = chance.choice(_COMMANDS)
        frame = _spoiled(target, foreign, chance)
        seen[_checked(target, frame, command)] += 1
        if target.scale is not None and number % 5 == 0:
            _cut_fault(target, chance)
            _cut_stream(target, target.scale, chance)
        if say is not None and number % _TURN == 0:
            say(number)
    return seen


def _checked(target: Target, frame: bytes, command: str | None) -> str:
    """One input: its status, or :class:`Found`."""
    try:
        answer = target.decode(frame, command)
        json.dumps(answer)
    except Exception as error:
        raise Found(target.protocol, frame, command, f"it failed: {error!r}") from error
    status = str(answer.get("status", "ok" if answer.get("ok", True) else "not ok"))
    value = answer.get("value")
    if target.scale is None or value is None:
        if target.scale is not None and status == "ok":
            raise Found(target.protocol, frame, command, "ok and no value")
        return status
    if status != "ok":
        raise Found(target.protocol, frame, command, f"{status} with the weight {value}")
    if not _NUMBER.fullmatch(value) or not _has_digits(frame, value):
        raise Found(target.protocol, frame, command, f"the frame does not say {value}")
    return status


def _cut_fault(target: Target, chance: random.Random) -> None:
    """A fault that was cut is no weight."""
    faults = [frame for frame in target.good if target.decode(frame, None)["status"] != "ok"]
    frame = chance.choice(faults)
    start, end = sorted(chance.choices(range(len(frame) + 1), k=2))
    if target.decode(frame[start:end], None)["status"] == "ok":
        raise Found(target.protocol, frame[start:end], None, "a fault that was cut is a weight")


def _cut_stream(target: Target, profile: ScaleProfile, chance: random.Random) -> None:
    """A port that opens in the middle of a frame hears no weight but those that were sent."""
    frames = [chance.choice(target.good) for _ in range(4)]
    codec = scale_codec(profile)
    sent = {codec.decode(frame).value for frame in frames} | {None}
    stream = b"".join(frames)[chance.randrange(len(frames[0])) :]
    framer = codec.framer()
    while stream:
        size = chance.randint(1, 9)
        for frame in framer.feed(stream[:size]):
            if (heard := codec.decode(frame).value) not in sent:
                raise Found(target.protocol, frame, None, f"{heard} was never sent")
        stream = stream[size:]


def _spoiled(target: Target, foreign: Sequence[bytes], chance: random.Random) -> bytes:
    kind = chance.randrange(10)
    if kind == 0:
        return chance.randbytes(chance.randrange(64))
    if kind == 1:
        return bytes(chance.choices(_MEANT, k=chance.randrange(40)))
    frame = bytearray(chance.choice(foreign if kind == 2 else target.good))
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(frame) + 1)
        match chance.randrange(5):
            case 0 if at < len(frame):
                frame[at] ^= 1 << chance.randrange(8)
            case 1:
                del frame[at : at + chance.randint(1, 4)]
            case 2:
                frame[at:at] = bytes(chance.choices(_MEANT, k=chance.randint(1, 3)))
            case 3:
                frame[at:at] = chance.choice(target.good)
            case _:
                del frame[at:]
    return bytes(frame)


def _has_digits(frame: bytes, value: str) -> bool:
    """Whether the digits of ``value`` stand in ``frame`` in this order. Displays leave out zeros
    that only fill the field, and a scale that counts in tens adds some."""
    wanted = re.sub("[^0-9]", "", value).strip("0")
    said = re.sub(rb"[^0-9]", b"", frame).decode()
    return wanted in said or _in_order(wanted, said)


def _in_order(wanted: str, said: str) -> bool:
    rest = iter(said)
    return all(digit in rest for digit in wanted)


def _frames(profile: ScaleProfile) -> Iterator[bytes]:
    """What a scale of that profile could send."""
    for value, unit, stable in (
        ("12.34", "kg", True), ("0.00", "kg", True), ("501", "g", False), ("7.5", "lb", True),
    ):  # fmt: skip
        try:
            yield encode(profile, value=value, unit=unit, stable=stable)
        except ValueError:
            continue
    for fault in _FAULTS:
        try:
            yield encode(profile, fault=fault)
        except ValueError:
            continue


def _scale_decoder(profile: ScaleProfile) -> Decode:
    return lambda frame, command: decode_scale(profile.protocol, frame, command, profile)


def _scanner_decoder(profile: ScannerProfile) -> Decode:
    return lambda frame, _command: decode_scanner(frame, profile)


def _intake(frame: bytes) -> Object:
    found = read_gs1(frame.decode("utf-8", "replace"))
    return {"ok": found is not None}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=100_000, help="how many (100000)")
    parser.add_argument("--seed", type=int, default=1, help="which ones (1)")
    options = parser.parse_args(arguments)
    begin = time.monotonic()

    def say(number: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{number:,} of {options.inputs:,}", end="", file=sys.stderr)  # noqa: T201

    try:
        seen = run(targets(), options.inputs, options.seed, say)
    except Found as found:
        print(f"\nseed {options.seed}: {found}", file=sys.stderr)  # noqa: T201
        return 1
    took = time.monotonic() - begin
    told = ", ".join(f"{status} {count:,}" for status, count in seen.most_common())
    print(f"{options.inputs:,} inputs in {took:.0f} s, seed {options.seed}, none wrong: {told}.")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
