"""Who is asking. The one seam where mutual TLS will replace the bearer token.

The site of an event comes from here and never from the payload.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from starlette.requests import HTTPConnection

from cloud_relay.intake.problems import Refusal, refuse


@dataclass(frozen=True, slots=True)
class Caller:
    """A site's agent, or the central team's monitor when ``site`` is ``None``."""

    site: str | None

    def may_read(self, site: str) -> bool:
        return self.site is None or self.site == site


class Identity(Protocol):
    """Turns a request into its caller, or raises :class:`~cloud_relay.intake.problems.Refusal`."""

    def identify(self, request: HTTPConnection) -> Caller: ...


class BearerTokens:
    """One token a site. Only digests are kept, and every one is compared in constant time."""

    def __init__(self, sites: Mapping[str, bytes], monitor: bytes | None = None) -> None:
        """``sites`` and ``monitor`` hold raw SHA-256 digests of the tokens."""
        self._known: list[tuple[bytes, Caller]] = [
            (digest, Caller(site)) for site, digest in sites.items()
        ]
        if monitor is not None:
            self._known.append((monitor, Caller(None)))

    def identify(self, request: HTTPConnection) -> Caller:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise _unauthenticated("The request has no `Authorization: Bearer` header.")
        given = hashlib.sha256(token.strip().encode("latin-1")).digest()
        found: Caller | None = None
        for digest, caller in self._known:
            if hmac.compare_digest(digest, given):
                found = caller
        if found is None:
            raise _unauthenticated("The token belongs to no site of this relay.")
        return found


def _unauthenticated(detail: str) -> Refusal:
    refusal = refuse(
        "unauthenticated", detail, "Put the site's token into the agent's configuration."
    )
    refusal.headers["WWW-Authenticate"] = "Bearer"
    return refusal
