"""Reads docs/openapi.yaml for the tests: its operations, its schemas closed against unknown keys, and validators."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend

PATH = Path(__file__).resolve().parents[2] / "docs/openapi.yaml"
JSON = "application/json"
METHODS = ("get", "put", "post", "delete", "patch")

Schema = Any  # an object, or true or false

# Where a schema holds other schemas for the same value, and where for its parts.
_SAME_VALUE_LISTS = ("allOf", "anyOf", "oneOf")
_SAME_VALUE = ("if", "then", "else")
_PARTS = ("items", "additionalProperties", "contains")
_PARTS_BY_NAME = ("properties", "patternProperties")


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the document.

    Attributes:
        name: its operationId.
        method: in capitals.
        path: below /api, with {places} for ids.
        about: the operation object as written, for tags, summary and sources.
        request_schema: schema of the JSON body, references unresolved; None without a body.
        body_required: False also when there is no body.
        responses: schema of the JSON answer by status.
        parameters: the parameter objects, resolved.
        examples: the example body under "request", and the example answers under their status as text.
    """

    name: str
    method: str
    path: str
    about: Mapping[str, Any]
    request_schema: Schema | None
    body_required: bool
    responses: Mapping[int, Schema]
    parameters: tuple[Mapping[str, Any], ...]
    examples: Mapping[str, Any]

    @property
    def alias_of(self) -> str | None:
        """Name of the operation that this one repeats, None for all but the second entries."""
        name: str | None = self.about.get("x-alias-of")
        return name

    @property
    def success_status(self) -> int:
        """The one 2xx status it answers with."""
        (status,) = (status for status in self.responses if 200 <= status < 300)
        return status


@cache
def load() -> dict[str, Any]:
    """Return the document as written. It is read once; nobody may change it."""
    document: dict[str, Any] = yaml.safe_load(PATH.read_text(encoding="utf-8"))
    return document


def schemas() -> dict[str, Schema]:
    """Return the named schemas."""
    found: dict[str, Schema] = load()["components"]["schemas"]
    return found


@cache
def operations() -> dict[str, Operation]:
    """Return the operations by name, in the order of the document."""
    found = [
        _operation(method.upper(), path, item[method])
        for path, item in load()["paths"].items()
        for method in item
        if method in METHODS
    ]
    return {operation.name: operation for operation in found}


def resolved(node: Any) -> Any:
    """Return what a node's `$ref` points at, through all that follow; the node itself when it has none.

    What stands beside a `$ref` is left out. Raises KeyError for a reference to nowhere.
    """
    while isinstance(node, dict) and "$ref" in node:
        target: Any = load()
        for piece in node["$ref"].removeprefix("#/").split("/"):
            target = target[piece]
        node = target
    return node


def closed(schema: Schema) -> Schema:
    """Return a copy without references in which no object that lists properties takes any other.

    Objects that only say `additionalProperties` stay open: their keys are data.
    """
    return _closed(schema, is_whole=True)


def validator(schema: Schema) -> Validator:
    """Return a validator for a schema of the document. It also checks formats, and patterns to the end of the text."""
    if isinstance(schema, dict):
        # References are relative to the document; its components come along so that they lead somewhere.
        schema = {**schema, "components": load()["components"]}
    made: Validator = _Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return made


def problems(schema: Schema, value: Any) -> list[str]:
    """Return what is wrong with a value, one "place: sentence" each; empty when it fits the schema."""
    errors = sorted(validator(schema).iter_errors(value), key=lambda error: [str(step) for step in error.absolute_path])
    return [f"{error.json_path}: {_best(error).message}" for error in errors]


def nested(node: Any) -> Iterator[Any]:
    """Yield a node of the document and all that is inside it."""
    yield node
    inside = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in inside:
        yield from nested(child)


def _operation(method: str, path: str, about: Mapping[str, Any]) -> Operation:
    body = about.get("requestBody")
    answers = {status: resolved(answer)["content"][JSON] for status, answer in about["responses"].items()}
    examples = {status: content["example"] for status, content in answers.items() if "example" in content}
    if body and "example" in body["content"][JSON]:
        examples["request"] = body["content"][JSON]["example"]
    return Operation(
        name=about["operationId"],
        method=method,
        path=path,
        about=about,
        request_schema=body["content"][JSON]["schema"] if body else None,
        body_required=bool(body and body["required"]),
        responses={int(status): content["schema"] for status, content in answers.items()},
        parameters=tuple(resolved(parameter) for parameter in about.get("parameters", ())),
        examples=examples,
    )


def _closed(schema: Schema, *, is_whole: bool) -> Schema:
    """Close a schema. `is_whole` is False for a branch, whose keys the schema around it counts as well."""
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        if not beside:
            return _closed(resolved(schema), is_whole=is_whole)
        schema = {**beside, "allOf": [*beside.get("allOf", []), resolved(schema)]}
    copy = {key: _closed_keyword(key, value) for key, value in schema.items()}
    if is_whole and _lists_properties(copy):
        copy["unevaluatedProperties"] = False
    return copy


def _closed_keyword(key: str, value: Any) -> Any:
    if key in _SAME_VALUE_LISTS:
        return [_closed(branch, is_whole=False) for branch in value]
    if key in _SAME_VALUE:
        return _closed(value, is_whole=False)
    if key in _PARTS:
        return _closed(value, is_whole=True)
    if key in _PARTS_BY_NAME:
        return {name: _closed(part, is_whole=True) for name, part in value.items()}
    return value


def _lists_properties(schema: Schema) -> bool:
    if not isinstance(schema, dict):
        return False
    branches = [branch for key in _SAME_VALUE_LISTS for branch in schema.get(key, ())]
    branches += [schema[key] for key in _SAME_VALUE if key in schema]
    return "properties" in schema or any(_lists_properties(branch) for branch in branches)


def _best(error: ValidationError) -> ValidationError:
    """The most telling of an error's causes: a oneOf alone says nothing but that no branch fits."""
    while error.context:
        error = max(error.context, key=lambda cause: len(cause.absolute_path))
    return error


def _pattern(_validator: Validator, pattern: str, instance: object, _schema: Schema) -> Iterator[ValidationError]:
    # In a JSON schema $ is the end of the text; in Python a last line break may follow it.
    exact = re.sub(r"(?<!\\)\$$", r"\\Z", pattern)
    if isinstance(instance, str) and not re.search(exact, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


_Validator: Any = extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]  # its stub is bare
