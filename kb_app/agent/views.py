"""Pages for agents: the desk, articles and tickets."""

from __future__ import annotations

from flask import Blueprint, Flask, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale

from kb_app import reading
from kb_app.present import iso, script_json
from kb_app.web import principal, signed_in, the_kb
from search.types import Kind

blueprint = Blueprint("agent", __name__)


def init_app(app: Flask) -> None:
    """Add these pages to the application."""
    app.register_blueprint(blueprint)


@blueprint.get("/")
@signed_in
def desk() -> ResponseReturnValue:
    """The desk: type what the customer says, see the answer and the sentence to send."""
    return render_template("desk.html")


@blueprint.get("/articles/<slug>")
@signed_in
def article(slug: str) -> ResponseReturnValue:
    """An article; an old slug leads to the present one."""
    kb, who = the_kb(), principal()
    found = reading.article_by_slug(kb, slug, who)
    if found.slug != slug:
        return redirect(url_for("agent.article", slug=found.slug), 301)
    tied = reading.scripts_of(kb, found, who)
    return render_template(
        "article.html",
        article=found,
        content=found.content,
        valid_until=iso(found.content.valid_until),
        script=script_json(found) if found.facts.kind is Kind.SCRIPT else None,
        scripts=tied,
        category=_category(found.content.category),
    )


@blueprint.get("/tickets/<ticket_id>")
@signed_in
def ticket(ticket_id: str) -> ResponseReturnValue:
    """A resolved ticket, personal data masked."""
    found = reading.ticket(the_kb(), ticket_id, principal())
    return render_template("ticket.html", ticket=found, category=_category(found.category))


def _category(slug: str) -> str:
    """The category's name in the language of the page."""
    category = reading.category(the_kb(), slug)
    return category.name_en if str(get_locale()) == "en" else category.name
