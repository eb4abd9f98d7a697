"""What every blueprint shares: the Kb, who asks, errors as HTML or JSON, and security headers."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from flask import Flask, Response, current_app, g, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError, CSRFProtect
from werkzeug.exceptions import HTTPException

from kb_app import accounts
from kb_app.access import Principal
from kb_app.errors import KbError, NotSignedIn
from kb_app.kb import Kb

COOKIE = "kb_session"
API = "/api/"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "font-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
HINTS = {
    404: "See /api/v1/openapi.json for paths and methods.",
    413: "Send less than 1 MB; long conversations are cut to their last messages.",
}
"""How to mend what is refused before a view sees it."""
csrf = CSRFProtect()


def the_kb() -> Kb:
    """The Kb of this application; views take it here and pass it on."""
    return cast(Kb, current_app.extensions["kb"])


def principal() -> Principal:
    """Who asks, by key or by session; raises `NotSignedIn` otherwise."""
    found = maybe_principal()
    if found is None:
        raise NotSignedIn(
            "sign in, or send a key", "Send `Authorization: Bearer kb_…` with a key from `kb key create`."
        )
    return found


def maybe_principal() -> Principal | None:
    """Who asks, or None; a key that is sent but wrong is an error, not a stranger."""
    if "principal" not in g:
        g.principal = _identify()
    return cast(Principal | None, g.principal)


def signed_in(view: Callable[..., ResponseReturnValue]) -> Callable[..., ResponseReturnValue]:
    """A page for people: others are sent to sign in and come back."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> ResponseReturnValue:
        found = maybe_principal()
        if found is None or not found.is_staff:
            return redirect(url_for("auth.sign_in", next=request.full_path.rstrip("?")))
        return view(*args, **kwargs)

    return guarded


def init_app(app: Flask) -> None:
    """Plug errors, identity checks and headers into the application."""
    csrf.init_app(app)
    app.before_request(_begin)
    app.after_request(_finish)
    app.register_error_handler(KbError, _kb_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unexpected)


def _begin() -> None:
    g.request_id = secrets.token_hex(8)
    if request.method not in ("GET", "HEAD", "OPTIONS") and _could_be_forged():
        csrf.protect()


def _could_be_forged() -> bool:
    """A key is sent on purpose; only what a browser sends by itself can be forged.

    Who sends neither key nor cookie to the API is told to send a key, not a form token.
    """
    is_api = request.path.startswith(API)
    return not _bearer() and (not is_api or COOKIE in request.cookies)


def _finish(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["X-Request-Id"] = g.get("request_id", "")
    response.headers["X-Process"] = str(os.getpid())
    if response.status_code == 429:
        response.headers.setdefault("Retry-After", str(accounts.LOCK_SECONDS))
    if request.endpoint != "static":
        response.headers.setdefault("Cache-Control", "no-store, private")
        response.vary.add("Cookie")
        response.vary.add("Authorization")
    return response


def _identify() -> Principal | None:
    bearer = _bearer()
    if bearer:
        return accounts.bot(the_kb(), bearer)
    token = request.cookies.get(COOKIE, "")
    return accounts.person(the_kb(), token) if token else None


def _bearer() -> str:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def _kb_error(error: KbError) -> ResponseReturnValue:
    if error.status >= 500:
        current_app.logger.error("%s %s: %s", g.get("request_id"), request.path, error.message)
    return _answer(error.status, error.code, error.message, error.hint)


def _http_error(error: HTTPException) -> ResponseReturnValue:
    if isinstance(error, CSRFError):
        return _answer(403, "csrf", "the form token is missing or too old", "Reload the page and try again.")
    status = error.code or 500
    if status < 400:
        return error
    code, message = error.name.lower().replace(" ", "_"), error.description or error.name
    response = _answer(status, code, message, HINTS.get(status, HINTS[404]))
    if error.code == 405 and (allowed := getattr(error, "valid_methods", None)):
        response.headers["Allow"] = ", ".join(allowed)
    return response


def _unexpected(error: Exception) -> ResponseReturnValue:
    current_app.logger.exception("%s %s failed", g.get("request_id"), request.path, exc_info=error)
    return _answer(
        500,
        "internal_error",
        "something went wrong here",
        "Try again; if it stays, tell the administrator the request id.",
    )


def _answer(status: int, code: str, message: str, hint: str) -> Response:
    body = {"code": code, "message": message, "hint": hint, "request_id": g.get("request_id", "")}
    if request.path.startswith(API):
        response = jsonify(error=body)
    else:
        response = current_app.make_response(render_template("error.html", status=status, **body))
    response.status_code = status
    return response
