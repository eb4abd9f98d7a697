"""The native API: parse, call one use case, render."""

from __future__ import annotations

from typing import Any, TypeVar

from flask import Blueprint, Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ValidationError

from kb_app import answering, present, reading
from kb_app.access import Principal, Scope, require
from kb_app.answering import Question
from kb_app.api import openapi
from kb_app.api.schemas import FeedbackRequest, Filters, SearchRequest
from kb_app.clock import stamp
from kb_app.errors import BadInput
from kb_app.store.traffic import Feedback
from kb_app.web import principal, the_kb
from search.types import Kind, Mode

Model = TypeVar("Model", bound=BaseModel)
blueprint = Blueprint("api", __name__)


def init_app(app: Flask) -> None:
    """Add the API to the application."""
    app.register_blueprint(blueprint)


@blueprint.post("/api/v1/search")
def search() -> ResponseReturnValue:
    """Answer a question."""
    who = _searcher()
    return _search(_body(SearchRequest), who)


@blueprint.get("/api/v1/search")
def search_quickly() -> ResponseReturnValue:
    """Answer a question from the address line."""
    who = _searcher()
    given: dict[str, Any] = {"query": request.args.get("q", ""), "kinds": request.args.getlist("kind")}
    given |= {name: request.args[name] for name in ("mode", "top_k") if name in request.args}
    return _search(_validated(SearchRequest, given), who)


@blueprint.post("/api/v1/feedback")
def feedback() -> ResponseReturnValue:
    """Store what became of a hit."""
    who = principal()
    require(who, Scope.FEEDBACK)
    sent, kb = _body(FeedbackRequest), the_kb()
    answering.note(kb, Feedback(stamp(kb.clock), who.id, sent.query_id, sent.hit_id, sent.event, sent.text, sent.note))
    return jsonify(accepted=True), 202


@blueprint.get("/api/v1/articles/<article_id>")
def article(article_id: str) -> ResponseReturnValue:
    """An article by id, as JSON, or as Markdown with `.md`."""
    who = _searcher()
    name = article_id.removesuffix(".md")
    found = reading.article(the_kb(), name, who)
    if name == article_id:
        return jsonify(present.article_json(found, who))
    text = f"# {found.content.title}\n\n{present.article_json(found, who)['markdown']}\n"
    return Response(text, content_type="text/markdown; charset=utf-8")


@blueprint.get("/api/v1/scripts")
def scripts() -> ResponseReturnValue:
    """Scripts that match `q`, with the variant of `channel` as text where there is one."""
    who, channel = _searcher(), request.args.get("channel", "")
    found = reading.scripts(the_kb(), request.args.get("q", ""), who)
    items = [
        {
            "id": script.facts.id,
            "title": script.content.title,
            "category": script.content.category,
            **present.script_json(script),
            "text": script.content.channels.get(channel, script.content.body),
            "url": present.url(Kind.SCRIPT, script.slug, ""),
        }
        for script in found
    ]
    return jsonify(scripts=items)


@blueprint.get("/api/v1/categories")
def categories() -> ResponseReturnValue:
    """Categories with the number of documents the caller may read."""
    found = reading.categories(the_kb(), _searcher())
    return jsonify(
        categories=[{"slug": c.slug, "name": c.name, "name_en": c.name_en, "documents": number} for c, number in found]
    )


@blueprint.get("/api/v1/openapi.json")
def document() -> ResponseReturnValue:
    """The description of this API."""
    return jsonify(openapi.document())


@blueprint.get("/healthz")
def healthz() -> ResponseReturnValue:
    """The process answers."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
def readyz() -> ResponseReturnValue:
    """Whether questions can be answered: database, index and encoder."""
    state = reading.readiness(the_kb())
    return jsonify(status="ready" if state.ready else "not ready", **state.checks), 200 if state.ready else 503


def _search(sent: SearchRequest, who: Principal) -> ResponseReturnValue:
    asked = answering.ask(the_kb(), _question(sent, sent.filters), who)
    return jsonify(present.answer_json(asked, who, "html" in sent.include))


def _question(sent: SearchRequest, filters: Filters) -> Question:
    return Question(
        text=sent.query,
        mode=Mode(sent.mode),
        context=tuple(sent.context),
        kinds=tuple(sent.kinds),
        categories=tuple(filters.category),
        products=tuple(filters.product),
        tags=tuple(filters.tags),
        channel=filters.channel,
        top_k=sent.top_k,
        below_threshold="below_threshold" in sent.include,
    )


def _searcher() -> Principal:
    who = principal()
    require(who, Scope.SEARCH)
    return who


def _body(model: type[Model]) -> Model:
    try:
        sent = request.get_json(silent=True)
    except RecursionError:
        sent = None  # What the parser says to thousands of open brackets.
    if not isinstance(sent, dict):
        raise BadInput("the body is not a JSON object", "Send Content-Type: application/json and an object.")
    return _validated(model, sent)


def _validated(model: type[Model], sent: dict[str, Any]) -> Model:
    try:
        return model.model_validate(sent)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"]) or "body"
        raise BadInput(f"{name}: {first['msg']}", "See /api/v1/openapi.json for the fields.") from error
