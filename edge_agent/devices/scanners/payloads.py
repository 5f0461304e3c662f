"""Reads out of an MQTT payload of any shape. Pure; nothing that arrives raises."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from edge_agent.devices.scanners.items import items_of, read_item
from edge_agent.devices.scanners.json_texts import json_values
from edge_agent.devices.scanners.labels import Labels, content_key
from edge_agent.devices.scanners.pointers import Message
from edge_agent.devices.scanners.profile import ScannerProfile
from edge_agent.devices.scanners.reads import (
    MappedEvent,
    PayloadResult,
    ScannerRead,
    UnreadableFrame,
    unreadable,
)
from edge_agent.devices.scanners.serial_frames import SerialFrames

#: Longest payload that is looked into; a reader's batch of ten thousand tags is far below.
MAX_PAYLOAD_BYTES = 4 * 1024 * 1024
#: Documents of one payload that are no JSON and are each set aside: noise would make millions.
_MOST_BROKEN = 100
#: Bytes of a text that are cut at once, until there are too many reads.
_PIECE = 64 * 1024


def read_payload(
    profile: ScannerProfile, payload: bytes, captures: Mapping[str, str] | None = None
) -> list[PayloadResult]:
    """:meth:`Payloads.read` for one payload; a link keeps a :class:`Payloads`."""
    return Payloads(profile).read(payload, captures)


class Payloads:
    """Reads the payloads of one profile."""

    def __init__(self, profile: ScannerProfile) -> None:
        self._profile = profile
        self._labels = Labels.of(profile)

    def read(
        self, payload: bytes, captures: Mapping[str, str] | None = None
    ) -> list[PayloadResult]:
        """What is in one payload, in its order. A bad read becomes an ``UnreadableFrame`` (to be
        quarantined by the caller) and leaves its neighbours alone.

        ``captures``: what :meth:`TopicFilter.match` found in the topic.
        """
        if len(payload) > MAX_PAYLOAD_BYTES:
            most = MAX_PAYLOAD_BYTES // 1024
            message = f"The payload has {len(payload)} bytes; at most {most} KiB are looked into."
            return [unreadable(payload, "too_large", message)]
        if self._profile.format == "text":
            return _numbered(self._text(payload))
        if self._profile.format == "hex":
            try:
                return _numbered(self._text(bytes.fromhex(payload.decode("ascii"))))
            except ValueError:
                message = "The payload is not hexadecimal digits."
                return [unreadable(payload, "bad_value", message)]
        return _numbered(self._json(payload, captures or {}))

    def _text(self, payload: bytes) -> list[PayloadResult]:
        frames, most = SerialFrames(self._profile, self._labels), self._profile.max_reads
        found: list[PayloadResult] = []
        for at in range(0, len(payload), _PIECE):
            found += frames.feed(payload[at : at + _PIECE])
            if len(found) > most:
                break
        else:
            found += frames.flush()
        if len(found) > most:
            return [*found[:most], _too_many(payload, most)]
        return found

    def _json(self, payload: bytes, captures: Mapping[str, str]) -> Iterator[PayloadResult]:
        profile, left, broken = self._profile, self._profile.max_reads, 0
        for document in json_values(payload, profile.format):
            if isinstance(document, UnreadableFrame):
                if broken == _MOST_BROKEN:
                    message = (
                        f"More than {broken} parts of the payload are no JSON; the rest is left."
                    )
                    yield unreadable(payload, "malformed_json", message)
                    return
                broken += 1
                yield document
                continue
            for item in items_of(profile.read, document, captures):
                if left == 0:
                    yield _too_many(payload, profile.max_reads)
                    return
                left -= 1
                result = read_item(profile, self._labels, Message(item, document, captures))
                if result is not None:
                    yield result


def _too_many(payload: bytes, most: int) -> UnreadableFrame:
    message = f"The payload has more than {most} reads; the first are taken."
    return unreadable(payload, "too_large", message)


def _numbered(results: Iterable[PayloadResult]) -> list[PayloadResult]:
    """Reads of equal content get the number of their occurrence, so that each is one of its own."""
    seen: dict[bytes, int] = {}
    numbered: list[PayloadResult] = []
    for result in results:
        if isinstance(result, (ScannerRead, MappedEvent)):
            number = seen[result.key] = seen.get(result.key, 0) + 1
            if number > 1:
                result = replace(result, key=content_key(result.key.hex(), str(number)))
        numbered.append(result)
    return numbered
