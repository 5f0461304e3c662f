from edge_agent.devices.scanners.duplicates import Duplicates
from edge_agent.devices.scanners.reads import ScannerRead

LABEL = ScannerRead("LOT-7", "]C0")


def test_a_label_seen_again_within_the_window_is_one_read() -> None:
    window = Duplicates(1.0)
    assert [window.repeats(LABEL, now) for now in (10.0, 10.9, 11.8, 12.8)] == [
        *(False, True, True),
        False,  # a whole second passed
    ]


def test_other_labels_and_symbologies_are_reads_of_their_own() -> None:
    window = Duplicates(1.0)
    assert not window.repeats(LABEL, 1.0)
    assert not window.repeats(ScannerRead("LOT-8", "]C0"), 1.1)
    assert not window.repeats(ScannerRead("LOT-7", "]Q1"), 1.1)


def test_without_a_window_every_read_counts() -> None:
    window = Duplicates(0)
    assert not any(window.repeats(LABEL, 1.0) for _ in range(3))


def test_what_is_remembered_is_bounded() -> None:
    window = Duplicates(3600)
    for number in range(12_000):
        window.repeats(ScannerRead(str(number)), number / 1000)
    assert len(window._seen) == 10_000


def test_old_labels_are_forgotten() -> None:
    window = Duplicates(1.0)
    for number in range(100):
        window.repeats(ScannerRead(str(number)), float(number))
    assert len(window._seen) == 1
