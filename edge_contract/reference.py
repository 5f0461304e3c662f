"""The published reference of version 1, generated from the models: nobody keeps a copy by hand.

``python -m edge_contract.reference docs`` writes it, ``--check`` compares instead and names what
drifted. Files: ``reference/event.schema.json`` (JSON Schema 2020-12 of an event at the site and on
the wire), ``reference/asyncapi.json`` (MQTT), ``reference/openapi.json`` (relay) and
``refusals.md`` (what each refusal means).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from edge_contract.batch import (
    AGENT_HEADER,
    BATCH_MEDIA_TYPE,
    GENERATION_HEADER,
    MAX_BATCH_BYTES,
    MAX_BATCH_EVENTS,
    BatchReply,
    DownlinkReply,
    Heartbeat,
    HeartbeatReply,
)
from edge_contract.event import MAX_EVENT_BYTES, CloudEvent, DeviceEvent
from edge_contract.kinds import KINDS
from edge_contract.mqtt import AgentStatus, DeviceStatus, Feedback
from edge_contract.outcome import REFUSALS
from edge_contract.problem import PROBLEM_MEDIA_TYPE, PROBLEMS, Problem

Schema = dict[str, Any]
TITLE = "warehouse-edge"
VERSION = "1"


def definitions(models: list[type[BaseModel]], prefix: str) -> dict[str, Schema]:
    """JSON Schemas of the models and all they use, by name; references start with ``prefix``."""
    _, schema = models_json_schema(
        [(model, "validation") for model in models], ref_template=prefix + "{model}"
    )
    found: dict[str, Schema] = schema.get("$defs", {})
    for name in ("DeviceEvent", "CloudEvent"):
        if name in found:
            found[name].update(_by_kind(name, prefix))
    return found


def _by_kind(name: str, prefix: str) -> Schema:
    """``data`` depends on the kind, which the model checks in code: said here as ``oneOf``."""
    branches = []
    for kind, model in KINDS.items():
        what: Schema = {"kind": {"const": kind}}
        if name == "CloudEvent":
            what = {"type": {"const": f"warehouse.{kind}.v1"}}
        data = {"data": {"$ref": prefix + model.__name__}}
        branches.append({"title": kind, "properties": {**what, **data}})
    return {"oneOf": branches}


def event_schema() -> Schema:
    """JSON Schema of an event, as a device publishes it and as it travels to the relay."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"{TITLE} events, version {VERSION}",
        "anyOf": [{"$ref": "#/$defs/DeviceEvent"}, {"$ref": "#/$defs/CloudEvent"}],
        "$defs": definitions([DeviceEvent, CloudEvent, *KINDS.values()], "#/$defs/"),
    }


def asyncapi() -> Schema:
    """AsyncAPI 3.0 of the topics at the site."""
    device = {
        "device": {
            "description": "The device's name: the broker's ACL ties it to the authenticated user."
        }
    }

    def channel(topic: str, message: str, summary: str) -> Schema:
        found: Schema = {
            "address": topic,
            "summary": summary,
            "messages": {message: {"$ref": f"#/components/messages/{message}"}},
        }
        return {**found, "parameters": device} if "{device}" in topic else found

    def operation(name: str, action: str, summary: str, **more: Any) -> Schema:
        return {
            "action": action,
            "channel": {"$ref": f"#/channels/{name}"},
            "summary": summary,
            "bindings": {"mqtt": {"qos": 1, **more}},
        }

    payloads: dict[str, type[BaseModel]] = {
        "event": DeviceEvent,
        "status": DeviceStatus,
        "feedback": Feedback,
        "agentStatus": AgentStatus,
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": f"{TITLE}: MQTT at the site",
            "version": VERSION,
            "description": (
                "Written from the agent's side. The broker's PUBACK is not the acknowledgement: a "
                "device may forget an event only on feedback of stage `stored`, and sends it "
                f"again without. An event has at most {MAX_EVENT_BYTES} bytes."
            ),
        },
        "channels": {
            "event": channel("wh/v1/{device}/event", "event", "One event."),
            "status": channel(
                "wh/v1/{device}/status", "status", "The device's presence, and its last will."
            ),
            "feedback": channel(
                "wh/v1/{device}/feedback", "feedback", "What became of an event of the device."
            ),
            "agentStatus": channel(
                "wh/v1/agent/status",
                "agentStatus",
                "Whether events are taken in, the uplink, and the time of day.",
            ),
        },
        "operations": {
            "receiveEvent": operation("event", "receive", "Taken in, stored, then acknowledged."),
            "receiveStatus": operation("status", "receive", "Presence.", retain=True),
            "sendFeedback": operation("feedback", "send", "`stored` is the acknowledgement."),
            "sendAgentStatus": operation("agentStatus", "send", "Retained.", retain=True),
        },
        "components": {
            "messages": {
                name: {
                    "contentType": "application/json",
                    "payload": {"$ref": f"#/components/schemas/{model.__name__}"},
                }
                for name, model in payloads.items()
            },
            "schemas": definitions([*payloads.values(), *KINDS.values()], "#/components/schemas/"),
        },
    }


def openapi() -> Schema:
    """OpenAPI 3.1 of the relay, as far as agents and scripts use it."""
    prefix = "#/components/schemas/"
    schemas = definitions(
        [
            CloudEvent,
            BatchReply,
            DownlinkReply,
            Heartbeat,
            HeartbeatReply,
            Problem,
            *KINDS.values(),
        ],
        prefix,
    )

    def content(name: str, media: str = "application/json") -> Schema:
        return {"content": {media: {"schema": {"$ref": prefix + name}}}}

    def answers(name: str, *problems: str) -> Schema:
        found: Schema = {"200": {"description": "Done.", **content(name)}}
        for status, titles in sorted(_titles(problems).items()):
            found[str(status)] = {
                "description": "; ".join(titles) + ". Nothing was stored.",
                **content("Problem", PROBLEM_MEDIA_TYPE),
            }
        return found

    def header(name: str, description: str) -> Schema:
        return {
            "name": name,
            "in": "header",
            "required": True,
            "description": description,
            "schema": {"type": "string"},
        }

    def query(name: str, description: str, maximum: int) -> Schema:
        schema = {"type": "integer", "minimum": 0, "maximum": maximum}
        return {"name": name, "in": "query", "description": description, "schema": schema}

    refusals = ("unauthenticated", "forbidden", "rate-limited", "unavailable")
    uploads = ("too-large", "unsupported-media-type", "bad-batch", "storage-full")
    batch_body = {
        "type": "array",
        "maxItems": MAX_BATCH_EVENTS,
        "items": {"$ref": prefix + "CloudEvent"},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": f"{TITLE}: relay", "version": VERSION},
        "security": [{"site": []}],
        "paths": {
            "/v1/batches": {
                "post": {
                    "summary": "Hand over events; the same batch again changes nothing.",
                    "description": (
                        f"At most {MAX_BATCH_EVENTS} events and {MAX_BATCH_BYTES} bytes before and "
                        "after decompression; `Content-Encoding: gzip` is understood. The batch is "
                        "stored whole or not at all."
                    ),
                    "parameters": [
                        header(AGENT_HEADER, "Name of the agent at the site."),
                        header(GENERATION_HEADER, "The outbox's generation (UUID)."),
                    ],
                    "requestBody": {
                        "required": True,
                        "content": {BATCH_MEDIA_TYPE: {"schema": batch_body}},
                    },
                    "responses": answers(
                        "BatchReply", *refusals, *uploads, "conflict", "generation-reused"
                    ),
                }
            },
            "/v1/heartbeats": {
                "post": {
                    "summary": "Say how the agent is, hear where to resume.",
                    "requestBody": {"required": True, **content("Heartbeat")},
                    "responses": answers("HeartbeatReply", *refusals, *uploads),
                }
            },
            "/v1/downlink": {
                "get": {
                    "summary": "Outcomes after a cursor, oldest first; waits when there are none.",
                    "parameters": [
                        query("after", "The cursor of the last reply; 0 at first.", 2**53),
                        query("limit", "Most items of the reply.", 1000),
                        query("wait", "Seconds to wait when there is nothing.", 60),
                    ],
                    "responses": answers("DownlinkReply", *refusals),
                }
            },
            "/v1/sites": {
                "get": {
                    "summary": "How far each site is behind.",
                    "responses": {"200": {"description": "A list of sites with their lag."}},
                }
            },
            "/v1/devices/{device}/events/{id}": {
                "get": {
                    "summary": "The ladder of one event.",
                    "parameters": [
                        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                        for name in ("device", "id")
                    ],
                    "responses": {
                        "200": {"description": "Each rung with its time and what Odoo said."},
                        "404": {
                            "description": PROBLEMS["not-found"][1],
                            **content("Problem", PROBLEM_MEDIA_TYPE),
                        },
                    },
                }
            },
        },
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "site": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The site's token: it names the site, no body does.",
                }
            },
        },
    }


def _titles(problems: tuple[str, ...]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for name in problems:
        status, title = PROBLEMS[name]
        found.setdefault(status, []).append(f"{title} (`{name}`)")
    return found


def refusals_page() -> str:
    """What each refusal means, as a page of the documentation."""
    rows = [f"| `{code}` | {means} | {remedy} |" for code, (means, remedy) in REFUSALS.items()]
    return "\n".join(
        [
            "# What each refusal means",
            "",
            "An event that Odoo (or a check of ours before it) refuses is **held**: it had no",
            "effect, nothing of it is half applied, and what follows it on the same document",
            "waits. Nobody else waits. `cloud-relay held list` shows what is held, `held replay`",
            "tries again once the cause is gone, `held discard` gives it up on the record.",
            "",
            "| code | what it means | what to do |",
            "| --- | --- | --- |",
            *rows,
            "",
            "This page is generated from `edge_contract/outcome.py`.",
            "",
        ]
    )


def files() -> dict[str, str]:
    """Every generated file, by its path under ``docs``."""

    def text(document: Schema) -> str:
        return json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n"

    return {
        "reference/event.schema.json": text(event_schema()),
        "reference/asyncapi.json": text(asyncapi()),
        "reference/openapi.json": text(openapi()),
        "refusals.md": refusals_page(),
    }


def main(arguments: list[str]) -> int:
    """Write the files under the directory named, or with ``--check`` say which of them drifted."""
    folders = [argument for argument in arguments if not argument.startswith("--")]
    if len(folders) != 1 or set(arguments) - set(folders) - {"--check"}:
        sys.stderr.write("usage: python -m edge_contract.reference DOCS [--check]\n")
        return 2
    drifted = []
    for name, text in files().items():
        path = Path(folders[0], name)
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        drifted.append(name)
        if "--check" not in arguments:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if drifted and "--check" in arguments:
        sys.stderr.write(f"drifted from the models: {', '.join(drifted)}. Run `make reference`.\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
