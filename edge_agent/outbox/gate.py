"""When intake is refused, and when it opens again. Pure: figures in, a verdict out.

Refusing begins at a bound and ends well inside it, so that intake does not flap at the edge.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge_agent.outbox.port import IntakeRefused
from edge_agent.outbox.settings import MIB, OutboxSettings

#: The part of a bound from which on what is not needed any more makes room for what is.
_TIGHT = 0.75


@dataclass(frozen=True, slots=True)
class Room:
    """What there is, in bytes."""

    used: int
    """By rows, in the database."""
    free: int
    """What the file system would still give."""
    reusable: int
    """Inside the database: deleted rows leave room that the file system does not see."""


class IntakeGate:
    """Open or refused, with the reason."""

    def __init__(self, settings: OutboxSettings) -> None:
        self._settings = settings
        self.refusal: IntakeRefused | None = None

    @property
    def sentence(self) -> str:
        return "" if self.refusal is None else str(self.refusal)

    def check(self, room: Room) -> None:
        """Raises :class:`IntakeRefused` while a bound is reached."""
        settings = self._settings
        widened = self.refusal is not None
        most = settings.max_bytes * (0.95 if widened else 1)
        least = settings.min_free_bytes * (1.25 if widened else 1)
        if room.free + room.reusable < least or room.free < least / 4:
            self.refusal = IntakeRefused(
                f"The disk of {settings.path} has {room.free // MIB} MiB left and intake needs "
                f"{int(least) // MIB} MiB.",
                "Free space there, or lower min_free_bytes in [outbox]; intake opens by itself.",
            )
        elif room.used >= most:
            self.refusal = IntakeRefused(
                f"The outbox {settings.path} holds {room.used // 1024} KiB of at most "
                f"{settings.max_bytes // 1024} KiB.",
                "Restore the uplink so that it drains, or raise max_bytes in [outbox]; intake "
                "opens by itself.",
            )
        else:
            return
        raise self.refusal

    def tight(self, room: Room) -> bool:
        """Whether rows that are final must go before their time, so that intake stays open."""
        settings = self._settings
        return (
            room.used >= settings.max_bytes * _TIGHT
            or room.free + room.reusable < settings.min_free_bytes / _TIGHT
        )

    def stored(self) -> None:
        """A burst was stored, so intake is open."""
        self.refusal = None

    def disk_failed(self, what: str) -> IntakeRefused:
        """A write failed although there seemed to be room; the next :meth:`check` decides anew."""
        self.refusal = IntakeRefused(
            f"The disk of {self._settings.path} refused a write ({what}); nothing was stored.",
            "Look at its free space, quota and health; intake opens by itself.",
        )
        return self.refusal
