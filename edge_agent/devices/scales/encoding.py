"""What a scale would send: the other direction, for simulators and tests. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from edge_agent.devices.scales.profile import ScaleProfile, ScaleProtocol, template_line
from edge_agent.devices.scales.reading import Mode, number

Fault = Literal["motion", "overload", "underload", "busy", "error"]

#: Continuous output: what status words B and C say for a unit.
_CONTINUOUS_UNITS = {
    "lb": (0, 0),
    "kg": (0x10, 0),
    "g": (0x10, 1),
    "t": (0x10, 2),
    "oz": (0, 3),
    "ozt": (0, 4),
    "dwt": (0, 5),
    "short ton": (0, 6),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """What is on a simulated display."""

    value: str = "0"
    unit: str = "kg"
    stable: bool = True
    mode: Mode | None = None
    tare: str = "0"
    fault: Fault | None = None

    @property
    def sign(self) -> str:
        return "-" if self.value.startswith("-") else ""

    @property
    def digits(self) -> str:
        return self.value.lstrip("-")


def encode(
    profile: ScaleProfile,
    *,
    value: str = "0",
    unit: str = "kg",
    stable: bool = True,
    mode: Mode | None = None,
    tare: str = "0",
    fault: Fault | None = None,
) -> bytes:
    """The frame of a scale that shows ``value``, or has ``fault`` and then shows no weight.

    ``value``: decimal text such as ``-12.50``. Raises ValueError where the protocol has no way to
    say it: too many digits, a unit or a fault that it does not know.
    """
    found = number(value)
    if found is None or found != (value, None):
        raise ValueError(f"{value!r} is no decimal text such as 12.50")
    shown = Shown(value, unit, stable, mode, tare, fault)
    return _ENCODERS[profile.protocol](profile, shown)


def _mt_sics(_profile: ScaleProfile, shown: Shown) -> bytes:
    faults = {"overload": "S +", "underload": "S -", "motion": "S I", "busy": "S I", "error": "ES"}
    weight = f"S {'S' if shown.stable else 'D'} {_fits(shown.value, 10):>10} {shown.unit}"
    return _line(faults[shown.fault] if shown.fault else weight)


def _toledo_8217(profile: ScaleProfile, shown: Shown) -> bytes:
    fault = shown.fault or ("motion" if not shown.stable else "underload" if shown.sign else None)
    if fault is None:
        net = "N" if shown.mode == "net" else ""
        return f"\x02{_fits(shown.digits, 7):>6}{net}\r".encode()
    bits = {"motion": 0x01, "overload": 0x02, "underload": 0x04}
    if fault not in bits:
        raise ValueError(f"8217 has no status for {fault}")
    net_bit = 0x20 if profile.net_bit_always or shown.mode == "net" else 0
    return bytes([0x02, 0x3F, 0x40 | net_bit | bits[fault], 0x0D])


def _toledo_continuous(profile: ScaleProfile, shown: Shown) -> bytes:
    if shown.fault not in {None, "overload", "underload"}:
        raise ValueError(f"continuous output has no status for {shown.fault}")
    if shown.unit not in _CONTINUOUS_UNITS:
        raise ValueError(f"continuous output has no unit {shown.unit}")
    whole, _, decimals = shown.digits.partition(".")
    if len(decimals) > 5:
        raise ValueError("continuous output has at most five decimals")
    in_b, in_c = _CONTINUOUS_UNITS[shown.unit]
    negative = bool(shown.sign) if shown.fault is None else shown.fault == "underload"
    b = 0x20 | in_b | (0x02 if negative else 0) | (0 if shown.stable else 0x08)
    b |= (0x01 if shown.mode == "net" else 0) | (0x04 if shown.fault else 0)
    sent = bytes([0x02, 0x28 | (len(decimals) + 2), b, 0x20 | in_c])
    sent += f"{_fits(str(int(whole + decimals)), 6):>6}".encode()
    if profile.tare_field is not False:
        places = len(decimals)
        tare_whole, _, tare_decimals = shown.tare.partition(".")
        tare = str(int(tare_whole + tare_decimals[:places].ljust(places, "0")))
        sent += f"{_fits(tare, 6):>6}".encode()
    sent += b"\r"
    return sent + bytes([-sum(sent) & 0x7F]) if profile.checksum else sent


def _nci_scp01(_profile: ScaleProfile, shown: Shown) -> bytes:
    fault = shown.fault
    if fault == "busy":
        raise ValueError("SCP-01 has no status for busy")
    bars = {"overload": "^" * 7, "underload": "_" * 7, "error": "-" * 7}
    first = 0x30 | (0x01 if fault == "motion" or not shown.stable else 0)
    second = 0x30 | (0x02 if fault == "overload" else 0x01 if fault == "underload" else 0)
    status = bytes([first, second])
    if shown.mode is not None:
        status = bytes([first, second | 0x40, 0x30 | (0x04 if shown.mode == "net" else 0)])
    if fault == "motion":  # the ECR variant has no weight to give in motion
        return b"\n" + status + b"\r\x03"
    field = bars[fault] if fault else _zero_filled(shown, 7)
    return f"\n{field}{shown.unit}\r\n".encode() + status + b"\r\x03"


def _sma(_profile: ScaleProfile, shown: Shown) -> bytes:
    faults = {"overload": "O", "underload": "U", "error": "E"}
    if shown.fault is not None and shown.fault not in faults:
        raise ValueError(f"SMA has no status for {shown.fault}")
    status = faults[shown.fault] if shown.fault else " "
    digits = "-" * 10 if shown.fault == "error" else _fits(shown.value, 10)
    mode = "N" if shown.mode == "net" else "G"
    motion = " " if shown.stable else "M"
    return f"\n{status}1{mode}{motion} {digits:>10}{_fits(shown.unit, 3):<3}\r".encode()


def _and_standard(_profile: ScaleProfile, shown: Shown) -> bytes:
    answers = {"motion": "EC,E11", "busy": "EC,E02", "error": "EC,E01"}
    if shown.fault in answers:
        return _line(answers[shown.fault])
    if shown.unit == "t" and shown.mode is None:
        raise ValueError("an A&D balance means tola by t: only indicators, with a mode, weigh t")
    unit = "PC" if shown.unit == "pcs" else shown.unit
    header = "US" if not shown.stable else "QT" if unit == "PC" else "ST"
    sign = shown.sign or "+"
    if shown.fault is not None:
        header, sign = "OL", "-" if shown.fault == "underload" else "+"
    if shown.mode is not None:
        kind = "NT" if shown.mode == "net" else "GS"
        return _line(f"{header},{kind},{sign}{_fits(shown.digits, 7).zfill(7)}{unit:>2}")
    return _line(f"{header},{sign}{_fits(shown.digits, 8).zfill(8)}{unit:>3}")


def _sartorius_sbi(_profile: ScaleProfile, shown: Shown) -> bytes:
    faults = {"overload": "High", "underload": "Low", "busy": "C"}
    label = {"net": "N     ", "gross": "G#    ", None: ""}[shown.mode]
    if shown.fault == "motion":
        raise ValueError("SBI has no status for motion: a weight without unit is unstable")
    if shown.fault is not None:
        text = f"{'':6}{faults[shown.fault]:<8}" if shown.fault in faults else "   Err   101  "
        return _line(("Stat  " if label else "") + text)
    unit = _fits(shown.unit, 3) if shown.stable else ""
    return _line(f"{label}{shown.sign or '+'}{_fits(shown.digits, 8):>9} {unit:<3}")


def _regex(profile: ScaleProfile, shown: Shown) -> bytes:
    if shown.fault is not None:
        for pattern in profile.patterns:
            if pattern.status == shown.fault:
                return _line(pattern.example)
        raise ValueError(f"the profile has no pattern for {shown.fault}")
    if profile.template is None:
        raise ValueError("the profile has no template: it says how a weight is sent")
    return _line(template_line(profile, shown.value, shown.unit, stable=shown.stable))


_ENCODERS: dict[ScaleProtocol, Callable[[ScaleProfile, Shown], bytes]] = {
    "mt-sics": _mt_sics,
    "toledo-8217": _toledo_8217,
    "toledo-continuous": _toledo_continuous,
    "nci-scp01": _nci_scp01,
    "sma": _sma,
    "and-standard": _and_standard,
    "sartorius-sbi": _sartorius_sbi,
    "regex": _regex,
}


def _line(text: str) -> bytes:
    return f"{text}\r\n".encode()


def _zero_filled(shown: Shown, width: int) -> str:
    room = width - len(shown.sign)
    return shown.sign + _fits(shown.digits, room).zfill(room)


def _fits(text: str, width: int) -> str:
    if len(text) > width:
        raise ValueError(f"{text} is wider than the {width} characters of its field")
    return text
