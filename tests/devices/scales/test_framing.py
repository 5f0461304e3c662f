import pytest

from edge_agent.devices.scales.framing import Between, Lines, lf_to_cr, stx_to_cr


def test_lines_end_with_cr_lf_or_both() -> None:
    assert Lines().feed(b"one\r\ntwo\rthree\n\r\n\nfour\n\r") == [b"one", b"two", b"three", b"four"]


def test_noise_before_a_line_is_dropped_and_counted() -> None:
    lines = Lines()
    assert lines.feed(b"\x00\xff\xfe\x02one\r\n") == [b"one"]
    assert lines.dropped == 4


def test_a_line_that_never_ends_is_given_up_with_its_tail() -> None:
    lines = Lines(longest=100)
    for _ in range(1000):
        assert lines.feed(b"x" * 60) == []
    assert lines.dropped > 50_000
    assert lines.feed(b"tail\nES\r\n") == [b"ES"]


def test_an_overlong_line_that_comes_at_once_is_dropped() -> None:
    lines = Lines(longest=100)
    assert lines.feed(b"y" * 5000 + b"\nES\r\n") == [b"ES"]
    assert lines.dropped == 5000


def test_a_guarded_line_waits_for_an_end_or_for_quiet() -> None:
    lines = Lines(guarded=True)
    assert lines.feed(b"3.45 kg\r\n123.45 kg\r\n") == [b"123.45 kg"]
    quiet = Lines(guarded=True)
    quiet.clear()
    assert quiet.feed(b"123.45 kg\r\n") == [b"123.45 kg"]


def test_the_rest_of_a_line_that_was_given_up_is_given_up_too() -> None:
    lines = Lines()
    assert lines.feed(b"12") == []
    lines.clear()
    assert lines.feed(b"3.45 kg\r\n678.90 kg\r\n") == [b"678.90 kg"]


@pytest.mark.parametrize("framer", [stx_to_cr(), lf_to_cr(), Between(0x02, 0x0D, longest=50)])
def test_a_frame_that_never_ends_is_given_up(framer: Between) -> None:
    start = b"\n" if framer.feed(b"\n\r") else b"\x02"
    for _ in range(1000):
        assert framer.feed(start + b"x" * 300) == []
    assert framer.dropped > 290_000
    assert framer.feed(start + b"A\r") == [start + b"A\r"]


def test_a_second_start_begins_anew() -> None:
    framer = stx_to_cr()
    assert framer.feed(b"5\r\x02 1.2\x02 3.45\r6\r\x02?A\r") == [b"\x02 3.45\r", b"\x02?A\r"]
    assert framer.dropped == 2 + 5 + 2
    framer.feed(b"\x02 9.")
    framer.clear()
    assert framer.feed(b"99\r") == []
