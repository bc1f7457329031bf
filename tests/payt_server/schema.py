"""Reads ``schema.json`` and checks calls and answers against it."""

import json
import re
from functools import cache
from pathlib import Path

import jsonschema

SHORTHAND = json.loads((Path(__file__).parent / "schema.json").read_text())
OPERATIONS = SHORTHAND["operations"]
ENTITIES = SHORTHAND["entities"]
PAGING = {"cursor", "per_page"}


def operation_of(method, path):
    """Return the operation's name, with a number in the path as ``{id}``."""
    return f"{method} {re.sub(r'/[0-9]+(?=/|$)', '/{id}', path)}"


def split(mark):
    """``"[money]!"`` → (type name, is list, always there, only when asked)."""
    kind = mark.rstrip("!+")
    listed = kind.startswith("[")
    return kind.strip("[]"), listed, mark.endswith("!"), mark.endswith("+")


@cache
def entity_schema(name):
    return object_schema(ENTITIES[name])


def object_schema(properties):
    return {
        "type": "object",
        "properties": {key: property_schema(mark) for key, mark in properties.items()},
        "required": [key for key, mark in properties.items() if split(mark)[2]],
        "additionalProperties": False,
    }


def property_schema(mark):
    kind, listed, _required, _asked = split(mark)
    schema = entity_schema(kind) if kind in ENTITIES else SHORTHAND["types"][kind]
    return {"type": "array", "items": schema} if listed else schema


def field_names(entity, nested=True):
    """Return the fields to ask for, as the ``fields`` parameter wants them."""
    names = []
    for key, mark in ENTITIES[entity].items():
        kind = split(mark)[0]
        if nested and kind in ENTITIES:
            names.append({key: field_names(kind)})
        else:
            names.append(key)
    return names


def default_fields(entity):
    return [key for key, mark in ENTITIES[entity].items() if not split(mark)[3]]


def body_schema(operation):
    spec = OPERATIONS[operation]
    properties = spec.get("body", spec.get("form"))
    if properties is None:
        return None
    return object_schema({"administration_id": "id!", **properties})


def answer_schema(operation, partial=False):
    """Schema of a successful answer; None when an empty one is right.

    :param partial: the caller asked for some fields only, so none is certain
    """
    spec = OPERATIONS[operation]
    if "page" in spec:
        entity = dict(entity_schema(spec["page"]))
        if partial:
            entity["required"] = []
        return {
            "type": "object",
            "properties": {
                "data": {"type": "array", "items": entity},
                "pagination": {
                    "type": "object",
                    "properties": {"cursor": {"type": "string"}},
                },
            },
            "required": ["data"],
        }
    if "list" in spec:
        return {"type": "array", "items": entity_schema(spec["list"])}
    return entity_schema(spec["answer"]) if "answer" in spec else None


def check_call(operation, query, body):
    """Raise jsonschema.ValidationError when a call is not as the contract says."""
    spec = OPERATIONS.get(operation)
    if spec is None:
        raise jsonschema.ValidationError(f"Unknown operation {operation}")
    names = spec.get("query", [])
    allowed = {name.rstrip("!") for name in names}
    if "page" in spec:
        allowed |= PAGING
    required = {name[:-1] for name in names if name.endswith("!")}
    if set(query) - allowed or required - set(query):
        raise jsonschema.ValidationError(f"{operation}: query {sorted(query)}")
    schema = body_schema(operation)
    if schema is not None:
        jsonschema.validate(body, schema)


def check_answer(operation, status, payload, partial=False):
    """The same for an answer."""
    if status >= 400:
        jsonschema.validate(payload, entity_schema("error"))
        return
    schema = answer_schema(operation, partial)
    if schema is not None:
        jsonschema.validate(payload, schema)
