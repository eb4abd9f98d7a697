"""The OpenAPI 3.1 document, made of the schemas."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from kb_app.api import schemas


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    path: str
    method: str
    summary: str
    answer: type[BaseModel] | None
    body: type[BaseModel] | None = None
    status: str = "200"
    parameters: tuple[tuple[str, str, str], ...] = ()
    """(name, place, description)"""
    open: bool = False


OPERATIONS = (
    Operation("/api/v1/search", "post", "Answer a question", schemas.SearchResponse, schemas.SearchRequest),
    Operation(
        "/api/v1/search",
        "get",
        "Answer a question, for a quick look",
        schemas.SearchResponse,
        parameters=(
            ("q", "query", "The question."),
            ("mode", "query", "typing or final."),
            ("top_k", "query", "1 to 50."),
            ("kind", "query", "article, script, announcement or ticket; may be repeated."),
        ),
    ),
    Operation(
        "/api/v1/feedback", "post", "Tell what became of a hit", schemas.Accepted, schemas.FeedbackRequest, "202"
    ),
    Operation(
        "/api/v1/articles/{article_id}",
        "get",
        "Read an article; as Markdown when `.md` is added to the id",
        schemas.Article,
        parameters=(("article_id", "path", "Permanent id."),),
    ),
    Operation(
        "/api/v1/scripts",
        "get",
        "Scripts that match",
        schemas.Scripts,
        parameters=(("q", "query", "What to look for; empty for all."), ("channel", "query", "wechat, sms or phone.")),
    ),
    Operation("/api/v1/categories", "get", "Categories", schemas.Categories),
    Operation("/healthz", "get", "The process answers", None, open=True),
    Operation("/readyz", "get", "Questions can be answered", None, open=True),
)
ERRORS = {"400": "Bad input", "401": "No valid key or session", "403": "Not allowed", "404": "Not found"}


@cache
def document() -> dict[str, Any]:
    """The whole document."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "知答 Zhida",
            "version": "1",
            "description": "Answers with sources and calibrated confidence.",
        },
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "kb_<id>_<secret> from `kb key create`."},
                "session": {"type": "apiKey", "in": "cookie", "name": "kb_session"},
            },
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": operation.summary,
        "operationId": f"{operation.method}_{operation.path.strip('/').replace('/', '_').strip('{}')}",
        "security": [] if operation.open else [{"key": []}, {"session": []}],
        "responses": {operation.status: _response("Done", operation.answer)} | _errors(operation),
    }
    if operation.parameters:
        described["parameters"] = [_parameter(*parameter) for parameter in operation.parameters]
    if operation.body:
        described["requestBody"] = {"required": True, "content": _json(operation.body)}
    return described


def _parameter(name: str, place: str, text: str) -> dict[str, Any]:
    kind = {"type": "integer", "minimum": 1, "maximum": 50} if name == "top_k" else {"type": "string"}
    required = place == "path" or (name == "q" and "question" in text)
    return {"name": name, "in": place, "description": text, "required": required, "schema": kind}


def _errors(operation: Operation) -> dict[str, Any]:
    if operation.open:
        return {}
    return {status: _response(text, schemas.ErrorResponse) for status, text in ERRORS.items()}


def _response(text: str, model: type[BaseModel] | None) -> dict[str, Any]:
    return {"description": text} | ({"content": _json(model)} if model else {})


def _json(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}


def _schemas() -> dict[str, Any]:
    used = {model for o in OPERATIONS for model in (o.answer, o.body) if model} | {schemas.ErrorResponse}
    ordered = sorted(used, key=lambda model: model.__name__)
    _, definitions = models_json_schema(
        [(model, "validation") for model in ordered], ref_template="#/components/schemas/{model}"
    )
    found: dict[str, Any] = definitions["$defs"]
    return found
