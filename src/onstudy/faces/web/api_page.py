"""The REST API for people: its operations and what they take, read off its own OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from onstudy.faces.web.pages import render
from onstudy.faces.web.stock import Stocked
from onstudy.faces.web.turns import in_turn

router = APIRouter(include_in_schema=False)
HERE = "/api/onstudy/v1"
_PATTERNS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Parameter:
    """Something an operation takes: its name, what it may be, whether it must be given, what it means."""

    name: str
    takes: str
    required: bool
    means: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. `body` is whether its parameters are the keys of a JSON object that is sent."""

    method: str
    path: str
    title: str
    text: str
    parameters: tuple[Parameter, ...]
    body: bool


@router.get(HERE)
@router.get(f"{HERE}/")
@in_turn
def described(request: Request, stock: Stocked) -> HTMLResponse:
    """The operations, each with what it takes."""
    document = stock.keep(("api",), request.app.openapi)
    return render(request, "api.html", operations=operations(document), document=f"{HERE}/openapi.json")


def operations(document: Schema) -> list[Operation]:
    """Every operation of an OpenAPI document, in its order."""
    schemas = document.get("components", {}).get("schemas", {})
    return [
        Operation(
            method.upper(), path, one["summary"], one.get("description", ""),
            tuple(_parameters(one, schemas)), "requestBody" in one,
        )
        for path, methods in document["paths"].items()
        for method, one in methods.items()
    ]  # fmt: skip


def _parameters(operation: Schema, schemas: Schema) -> Iterator[Parameter]:
    for one in operation.get("parameters", ()):
        yield _parameter(one["name"], one["schema"], one.get("required", False), one.get("description", ""), schemas)
    content = operation.get("requestBody", {}).get("content", {})
    for body in content.values():
        object_ = _resolved(body["schema"], schemas)
        for name, schema in object_["properties"].items():
            yield _parameter(name, schema, name in object_.get("required", ()), "", schemas)


def _parameter(name: str, schema: Schema, required: bool, means: str, schemas: Schema) -> Parameter:
    default = schema.get("default")
    takes = _takes(schema, schemas)
    if default is not None and default not in ("", [], {}, False):
        takes += f"; {default} where it is not given"
    return Parameter(name, takes, required, (means or schema.get("description", "")).replace("`", ""))


def _resolved(schema: Schema, schemas: Schema) -> Schema:
    reference = schema.get("$ref", "")
    return schemas[reference.rpartition("/")[2]] if reference else schema


def _takes(schema: Schema, schemas: Schema) -> str:
    """What a value may be, in words."""
    found = _resolved(schema, schemas)
    choices = [one for one in found.get("anyOf", ()) if one.get("type") != "null"]
    if choices:
        return " or ".join(_takes(one, schemas) for one in choices)
    if "enum" in found:
        return ", ".join(map(str, found["enum"]))
    if found.get("type") == "array":
        return f"{_takes(found.get('items', {}), schemas)}; several may be given"
    if found.get("type") == "object":
        return "object"
    words = _PATTERNS.get(found.get("type", ""), "any value")
    least, most = found.get("minimum"), found.get("maximum")
    if least is not None and most is not None:
        words += f", {least} to {most}"
    example = next(iter(found.get("examples", ())), None)
    return f"{words}, such as {example}" if example is not None else words
