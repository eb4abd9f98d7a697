"""Signing in and out, and choosing a language."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, Flask, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from kb_app import accounts
from kb_app.errors import NotSignedIn, TooMany
from kb_app.web import COOKIE, maybe_principal, the_kb

LANGUAGE_COOKIE = "kb_language"
YEAR = 365 * 24 * 3600
blueprint = Blueprint("auth", __name__)


def init_app(app: Flask) -> None:
    """Add these pages to the application."""
    app.register_blueprint(blueprint)


@blueprint.get("/sign-in")
def sign_in() -> ResponseReturnValue:
    """The form."""
    if maybe_principal():
        return redirect(_local(request.args.get("next", "")))
    return render_template("sign_in.html", error=None, login="", next=request.args.get("next", ""))


@blueprint.post("/sign-in")
def signing_in() -> ResponseReturnValue:
    """Check login and password; a session cookie on success, the form with a reason otherwise."""
    kb, form = the_kb(), request.form
    login, target = form.get("login", ""), form.get("next", "")
    try:
        token = accounts.sign_in(kb, login, form.get("password", ""))
    except (NotSignedIn, TooMany) as error:
        page = render_template("sign_in.html", error=error.code, login=login, next=target)
        return make_response(page, error.status)
    response = redirect(_local(target), 303)
    response.set_cookie(
        COOKIE,
        token,
        max_age=kb.settings.session_hours * 3600,
        httponly=True,
        samesite="Lax",
        secure=kb.settings.secure_cookies,
    )
    return response


@blueprint.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """End the session here and on the server."""
    accounts.sign_out(the_kb(), request.cookies.get(COOKIE, ""))
    response = redirect(url_for("auth.sign_in"), 303)
    response.delete_cookie(COOKIE)
    return response


@blueprint.post("/language/<code>")
def choose_language(code: str) -> ResponseReturnValue:
    """Remember the language chosen and go back."""
    response = redirect(_local(request.form.get("next", "")), 303)
    if code in ("zh", "en"):
        response.set_cookie(LANGUAGE_COOKIE, code, max_age=YEAR, samesite="Lax")
    return response


def _local(target: str) -> str:
    """Where to go next: a path of ours only, never another site."""
    parts = urlsplit(target.replace("\\", "/"))
    local = target.startswith("/") and not target.startswith("//") and not parts.netloc and not parts.scheme
    return target if local and "\\" not in target and target.isprintable() else "/"
