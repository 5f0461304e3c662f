"""What really happens in a shift: goods, hands and shelves. Nothing here knows a computer.

Goods change their place when a person acts; a count reads what lies there. Deliberately naive: a
dictionary of quantities, a ledger, and the rules of the house that keep a shift possible at all
(nobody takes goods that are not there; what is carried to a place on an open transfer is left alone
until that transfer is closed, since two open transfers could wait for each other for ever).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

#: (place, product, lot, package); the last two may be empty.
Place = tuple[str, str, str, str]

#: Places of the warehouse, each with the one it lies in.
BINS = {"A": "", "A/1": "A", "B": "", "OUT": ""}
SHELVES = ("A", "A/1", "B")
LOTS = ("L1", "L2")
#: A lot that only a receipt brings.
NEW_LOT = "L3"
PALLET = "T"
OPENING: dict[Place, int] = {
    ("A", "P", "", ""): 9,
    ("A", "P", "", PALLET): 6,
    ("A/1", "P", "", ""): 5,
    ("B", "P", "", ""): 4,
    ("A", "Q", "L1", ""): 8,
    ("A", "Q", "L2", ""): 7,
    ("B", "Q", "L1", ""): 5,
    ("A", "S", "", ""): 60,
}
#: Transfers that the office made before the shift, with what they ask for. ``shared`` is the one
#: that several people work on; its goods S are nobody else's.
DOCUMENTS: dict[str, tuple[str, dict[str, int]]] = {
    "receipt-1": ("receipt", {"P": 12, "Q": 12}),
    "receipt-2": ("receipt", {"P": 12, "Q": 12}),
    "pick-1": ("pick", {"P": 9, "Q": 6}),
    "pick-2": ("pick", {"P": 9, "Q": 6}),
    "delivery-1": ("delivery", {"P": 9, "Q": 6}),
    "delivery-2": ("delivery", {"P": 9, "Q": 6}),
    "shared": ("pick", {"S": 60}),
}
SUPPLIER, CUSTOMER, GONE = "supplier", "customer", "inventory"


#: (product, lot, from, to), or for what rode on the pallet (product, lot, "ride", both ends).
LedgerKey = tuple[str, str, str, str]


def ledger_key(good: str, lot: str, source: str, to: str, *, rides: bool) -> tuple[LedgerKey, int]:
    """Where a movement stands in a ledger, and its sign there.

    How much rode on the pallet may be known only later, and is then carried along, to or fro: what
    counts is what rode between two places in the end.
    """
    if not rides:
        return (good, lot, source, to), 1
    first, second = sorted((source, to))
    return (good, lot, "ride", f"{first} to {second}"), 1 if source == first else -1


@dataclass
class Document:
    """A transfer as the people who work on it see it."""

    name: str
    kind: str
    left: dict[str, int]
    """product → how many it still asks for."""
    lines: int = 0
    carried: dict[Place, int] = field(default_factory=lambda: defaultdict(int))
    """What it brought to places of the house and is not closed yet."""


class World:
    """The shelves, the people's open transfers, and the ledger of what they moved."""

    def __init__(self) -> None:
        self.stock: dict[Place, int] = defaultdict(int, OPENING)
        self.ledger: dict[LedgerKey, int] = defaultdict(int)
        self.unused = [name for name in DOCUMENTS if name != "shared"]
        self.open: dict[tuple[str, str], Document] = {}
        """(device, kind) → the transfer which that person works on."""
        self.counts: list[tuple[datetime, Place, int]] = []
        self.unnoticed: set[Place] = set()
        """Where something is missing that no count has noticed."""
        self.shared_lines: dict[UUID, tuple[datetime, str, int]] = {}
        """Scans on the shared transfer: when, by whom, how many."""
        self.shared_done: tuple[datetime, str, UUID] | None = None

    def free(self, place: Place) -> int:
        """How much may be taken from there."""
        carried = sum(document.carried.get(place, 0) for document in self.open.values())
        return self.stock[place] - carried

    def offers(self, *, packed: bool | None = False, least: int = 1) -> list[Place]:
        """Where P and Q can be taken; ``packed``: on the pallet, loose, or ``None`` for both."""
        return sorted(
            place
            for place, quantity in self.stock.items()
            if quantity >= least
            and self.free(place) >= least
            and place[1] != "S"
            and packed in (None, bool(place[3]))
        )

    def move(self, place: Place, quantity: int, to: str, *, whole: bool = False) -> None:
        """A hand carries goods away; they lie loose there unless the pallet moves as a whole."""
        source, good, lot, package = place
        if source in BINS:
            if self.free(place) < quantity:
                raise ValueError(f"nobody can take {quantity} from {place}")
            self.stock[place] -= quantity
        if to in BINS:
            self.stock[to, good, lot, package if whole else ""] += quantity
        key, sign = ledger_key(good, lot, source, to, rides=whole)
        self.ledger[key] += sign * quantity

    def count(self, place: Place, difference: int, now: datetime) -> int:
        """Somebody counts, and finds ``difference`` more than nobody took or brought."""
        found = max(0, self.stock[place] + difference)
        self.stock[place] = found
        self.unnoticed.discard(place)
        self.counts.append((now, place, found))
        return found

    def lose(self, place: Place) -> None:
        """One is stolen; nobody tells."""
        self.stock[place] -= 1
        self.unnoticed.add(place)

    def document(self, device: str, kind: str) -> Document | None:
        """The transfer of that kind which the person works on, or the next one of the pile."""
        if (device, kind) not in self.open:
            names = [name for name in self.unused if DOCUMENTS[name][0] == kind]
            if not names:
                return None
            self.unused.remove(names[0])
            self.open[device, kind] = Document(names[0], kind, dict(DOCUMENTS[names[0]][1]))
        return self.open[device, kind]

    def figures(self) -> dict[Place, float]:
        """What a perfect inventory would find."""
        return {place: float(quantity) for place, quantity in self.stock.items() if quantity}
