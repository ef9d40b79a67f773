"""The HTTP interface as a page: what FastAPI knows of it in a form that the template can lay out.

FastAPI's own page is Swagger UI from another host; a copy of that would be 1.7 MB of other people's script with the
rights of whoever reads it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    Schema = Mapping[str, Any]

Type = list[tuple[str, str]]
"""A type in words: pieces of text, each with the object that it names, or none."""
_BOUNDS: Final = {
    "minimum": "≥ {}", "maximum": "≤ {}", "exclusiveMinimum": "> {}", "exclusiveMaximum": "< {}",
    "minLength": "at least {} characters", "maxLength": "at most {} characters", "maxItems": "at most {}",
    "pattern": "like {}",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Field:
    """Something with a name: a parameter of a request, or a part of an object."""

    name: str
    type: Type
    about: str
    needed: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What may come back, by its status."""

    status: str
    about: str
    type: Type


@dataclass(frozen=True, slots=True)
class Operation:
    """A method of an address."""

    id: str
    method: str
    path: str
    about: str
    fields: list[Field]
    body: Type
    answers: list[Answer]


def operations(interface: Schema) -> list[Operation]:
    """All that can be asked, in the order in which it was written."""
    return [
        _operation(method, path, one) for path, methods in interface["paths"].items() for method, one in methods.items()
    ]


def _operation(method: str, path: str, one: Schema) -> Operation:
    fields = [
        Field(p["name"], type_of(p["schema"]), p.get("description", ""), p["required"])
        for p in one.get("parameters", ())
    ]
    answers = [
        Answer(status, a["description"].removeprefix("Successful Response"), _content(a) if status < "400" else [])
        for status, a in sorted(one["responses"].items())
    ]
    return Operation(
        one["operationId"], method.upper(), path, one.get("description", ""), fields,
        _content(one.get("requestBody", {})), answers,
    )  # fmt: skip


def _content(holder: Schema) -> Type:
    """The type of a body; nothing is said of one without."""
    for kind, content in holder.get("content", {}).items():
        return type_of(content["schema"]) if content.get("schema") else [(kind, "")]
    return []


def objects(interface: Schema) -> dict[str, list[Field]]:
    """The fields of every object that is named anywhere, by its name."""
    found = interface.get("components", {}).get("schemas", {})
    return {
        name: [
            Field(field, type_of(schema), schema.get("description", ""), field in whole.get("required", ()))
            for field, schema in whole.get("properties", {}).items()
        ]
        for name, whole in sorted(found.items())
    }


def type_of(schema: Schema) -> Type:
    """A JSON schema in words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return [(name, name)]
    if choices := schema.get("anyOf"):
        return _joined([type_of(choice) for choice in choices], " or ")
    if "enum" in schema:
        return [(" or ".join(json.dumps(value) for value in schema["enum"]), "")]
    if "prefixItems" in schema:
        return [("(", ""), *_joined([type_of(one) for one in schema["prefixItems"]], ", "), (")", "")]
    if schema.get("type") == "array":
        return [("list of ", ""), *type_of(schema.get("items", {})), (_bounds(schema), "")]
    if isinstance(values := schema.get("additionalProperties"), dict):
        return [("by name: ", ""), *type_of(values)]
    return [(schema.get("type", "anything") + _bounds(schema), "")]


def _joined(types: list[Type], between: str) -> Type:
    joined: Type = []
    for one in types:
        joined += [*([(between, "")] if joined else []), *one]
    return joined


def _bounds(schema: Schema) -> str:
    found = [words.format(schema[name]) for name, words in _BOUNDS.items() if name in schema]
    return f" ({', '.join(found)})" if found else ""
