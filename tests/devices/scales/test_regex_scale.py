import pytest
from pydantic import ValidationError

from edge_agent.devices.scales.codec import scale_codec
from edge_agent.devices.scales.encoding import encode
from edge_agent.devices.scales.profile import ScaleProfile
from tests.devices.scales.trying import fault, shipped, weight


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("        7.35 kg     ", ("7.35", "KGM", True, None)),
        ("        7.35 g    ?", ("7.35", "GRM", False, None)),
        ("       -7.35 oz   ?", ("-7.35", "ONZ", False, None)),
        ("          48 PCS   ", ("48", "H87", True, None)),
        ("         311 g ?", ("311", "GRM", False, None)),
        ("        7.35     g?", ("7.35", "GRM", False, None)),
        ("        7.35     g ", ("7.35", "GRM", True, None)),
        ("        7.35 oz     AIR WT", ("7.35", "ONZ", True, None)),
        ("    7.35 kg  NET", ("7.35", "KGM", True, "net")),
        ("-   7.35 kg ?   B/G", ("-7.35", "KGM", False, "gross")),
        ("    7.35 kg    N", ("7.35", "KGM", True, "net")),
        ("        7.35 g   00:00:45", ("7.35", "GRM", True, None)),
    ],
)
def test_ohaus_marks_what_is_not_stable(
    line: str, expected: tuple[str, str, bool, str | None]
) -> None:
    assert weight(scale_codec(shipped("ohaus")).decode(f"{line}\r\n".encode())) == expected


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("Err 8.3", "overload"),
        ("OVERLOAD", "overload"),
        ("Err 8.4", "underload"),
        ("ES", "error"),
        ("Err 8.1", "error"),
        ("    -----    ", "error"),
        ("OK!", "info"),
        ("     88.80 g  TOTAL", "info"),
        ("      0.50 kg    T", "info"),
        ("  1 lb 2.3 oz", "error"),
        ("     7.35 parsec", "error"),
        ("     7.35", "error"),
        ("     7,35 kg", "error"),
    ],
)
def test_whatever_else_an_ohaus_says_is_never_a_weight(line: str, status: str) -> None:
    assert fault(scale_codec(shipped("ohaus")).decode(line.encode()))[0] == status


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("N   +   7.35 kg", ("7.35", "KGM", None, "net")),
        ("G   -   7.35 kg", ("-7.35", "KGM", None, "gross")),
        ("-        7.35 g ", ("-7.35", "GRM", None, None)),
        ("           48PCS", ("48", "H87", None, None)),
        ("NET       7.35 g ", ("7.35", "GRM", None, "net")),
        ("Gross Wt  7.350 Kg", ("7.350", "KGM", None, "gross")),
        (
            "GROSS     7.35 g \r\nNo.         12\r\nTotal    88.80 g ",
            ("7.35", "GRM", None, "gross"),
        ),
        ("GS        7.35 g ", ("7.35", "GRM", None, "gross")),
        ("NT-       7.35 g ", ("-7.35", "GRM", None, "net")),
        ("G/W  +    7.35 lb", ("7.35", "LBR", None, "gross")),
        ("N/W-      7.35 kg", ("-7.35", "KGM", None, "net")),
        ("ST,GS,+  7.350kg", ("7.350", "KGM", True, "gross")),
        ("US,NT,+  7.350kg", ("7.350", "KGM", False, "net")),
    ],
)
def test_adam_does_not_say_whether_it_is_stable(
    lines: str, expected: tuple[str, str, bool | None, str | None]
) -> None:
    assert weight(scale_codec(shipped("adam")).decode(f"{lines}\r\n".encode())) == expected


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ("  OL  ", "overload"),
        ("Err 4", "error"),
        ("GROSS     7.35 g \r\nErr 4", "error"),
        ("T   +   0.75 kg", "info"),
        ("T/W  +   0.75 kg", "info"),
        ("Total    88.80 g ", "info"),
        ("No.         12", "info"),
        ("     7.35 parsec", "error"),
        ("", "error"),
    ],
)
def test_whatever_else_an_adam_says_is_never_a_weight(lines: str, status: str) -> None:
    assert fault(scale_codec(shipped("adam")).decode(lines.encode()))[0] == status


def test_a_profile_of_ones_own_brings_its_units_and_its_comma() -> None:
    own = ScaleProfile.model_validate(
        {
            "protocol": "regex",
            "decimal_mark": ",",
            "units": {"Kilo": "KGM"},
            "patterns": [
                {
                    "match": r"W(?P<value>[\d,]+) (?P<unit>\w+)(?P<stable>!)?",
                    "stable": "no",
                    "example": "W7,35 Kilo!",
                }
            ],
        }
    )
    codec = scale_codec(own)
    assert weight(codec.decode(b"W7,35 kilo!\r\n")) == ("7.35", "KGM", True, None)
    assert weight(codec.decode(b"W7,35 kilo\r\n")) == ("7.35", "KGM", False, None)
    assert codec.request() is None


@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [
        ({"match": "(", "example": "x"}, "no regular expression"),
        ({"match": "x", "example": "x"}, "needs a group"),
        ({"match": "(?P<wert>x)", "example": "x"}, "names wert"),
        ({"match": "(?P<value>x)", "example": "y"}, "does not match its example"),
        ({"match": "(?P<value>x)", "example": "x", "status": "busy"}, "only status ok"),
    ],
)
def test_a_pattern_that_cannot_work_is_refused_with_its_profile(
    pattern: dict[str, str], complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        ScaleProfile.model_validate({"protocol": "regex", "patterns": [pattern]})


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("{value} {unit}{unstable:2}", "says '7.5 kg  ', which no pattern takes for a weight"),
        ("{wert} {unit}", "template: 'wert'; it has {value}"),
        ("{value", "template: "),
    ],
)
def test_a_template_that_its_own_patterns_do_not_understand_is_refused(
    template: str, complaint: str
) -> None:
    pattern = {"match": r"(?P<value>\d\.\d) (?P<unit>kg)(?P<unstable> U)?", "example": "7.5 kg"}
    with pytest.raises(ValidationError, match=complaint):
        ScaleProfile.model_validate(
            {"protocol": "regex", "template": template, "patterns": [pattern]}
        )


@pytest.mark.parametrize(("example", "said"), [("7.5 kg~", b"8.0 kg~"), ("7.5 kg", b"8.0 kg?")])
def test_what_is_not_stable_is_said_as_the_examples_say_it(example: str, said: bytes) -> None:
    pattern = {"match": r"(?P<value>\d\.\d) (?P<unit>kg)(?P<unstable>[~?])?", "example": example}
    own = ScaleProfile.model_validate(
        {"protocol": "regex", "template": "{value} {unit}{unstable}", "patterns": [pattern]}
    )
    assert encode(own, value="8.0", stable=False) == said + b"\r\n"
