"""The endpoints as an ASGI application; every refusal leaves it as a problem document."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cloud_relay.intake.endpoints import Intake
from cloud_relay.intake.problems import Refusal, refuse
from edge_contract.problem import PROBLEM_MEDIA_TYPE

log = logging.getLogger(__name__)

Endpoint = Callable[[Request], Awaitable[Response]]


def build(intake: Intake) -> Starlette:
    """The application of version 1 of the contract."""

    def route(path: str, endpoint: Endpoint, method: str) -> Route:
        return Route(path, _answered(endpoint), methods=[method])

    return Starlette(
        routes=[
            route("/v1/batches", intake.batches, "POST"),
            route("/v1/heartbeats", intake.heartbeats, "POST"),
            route("/v1/downlink", intake.downlink, "GET"),
            route("/v1/sites", intake.sites, "GET"),
            route("/v1/devices/{device}/events/{event}", intake.event, "GET"),
            route("/v1/health", intake.health, "GET"),
        ],
        exception_handlers={HTTPException: _http_error},
    )


def _answered(endpoint: Endpoint) -> Endpoint:
    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Refusal as refusal:
            return _response(refusal)
        except Exception:  # whatever it is: the caller is told that nothing can be relied on
            log.exception("a fault of the relay in %s %s", request.method, request.url.path)
            failed = refuse(
                "unavailable",
                "The relay failed on this request; its log says why.",
                "Send the same request again later.",
            )
            return _response(failed)

    return answer


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        found = refuse("method-not-allowed", f"{request.method} is not for {request.url.path}.")
    else:
        found = refuse("not-found", f"{request.url.path} is not part of version 1.")
    found.headers.update(error.headers or {})
    return _response(found)


def _response(refusal: Refusal) -> Response:
    document = refusal.problem
    return Response(
        document.model_dump_json(), document.status, refusal.headers, PROBLEM_MEDIA_TYPE
    )
