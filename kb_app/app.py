"""The application: a list of concerns, each of which plugs itself in."""

from __future__ import annotations

import logging
from pathlib import Path

from flask import Flask, request
from flask_babel import Babel

from kb_app import accounts, web
from kb_app.agent import views as agent
from kb_app.api import views as api
from kb_app.auth import views as auth
from kb_app.kb import Kb

LANGUAGES = ("zh", "en")
LANGUAGE_COOKIE = "kb_language"
ROOT = Path(__file__).resolve().parents[1]
LARGEST_REQUEST = 1 << 20


def create_app(kb: Kb) -> Flask:
    """The WSGI application around one Kb."""
    app = Flask("kb_app", static_folder=str(ROOT / "static"), root_path=str(Path(__file__).parent))
    app.config.update(
        SECRET_KEY=accounts.secret_key(kb),
        MAX_CONTENT_LENGTH=LARGEST_REQUEST,
        SESSION_COOKIE_NAME="kb_form",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=kb.settings.secure_cookies,
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_TIME_LIMIT=None,
        BABEL_DEFAULT_LOCALE="zh",
        BABEL_DEFAULT_TIMEZONE=kb.settings.timezone,
        SEND_FILE_MAX_AGE_DEFAULT=3600,
    )
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.extensions["kb"] = kb
    app.logger.setLevel(getattr(logging, kb.settings.log_level.upper()))
    Babel(app, locale_selector=language)
    app.context_processor(lambda: {"language": language(), "who": web.maybe_principal})
    for concern in (web, auth, agent, api):
        concern.init_app(app)
    return app


def language() -> str:
    """The language of the page: the reader's choice, else what the browser asks for, else Chinese."""
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    return chosen if chosen in LANGUAGES else request.accept_languages.best_match(LANGUAGES, "zh") or "zh"
