"""The errors of the application: a small tree, each with an HTTP status, a code and how to mend it."""

from __future__ import annotations


class KbError(Exception):
    """Base: `message` says what is wrong, `hint` how to mend it."""

    status = 500
    code = "internal_error"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class BadInput(KbError):
    """What was sent cannot be used."""

    status = 400
    code = "bad_input"


class TooLarge(BadInput):
    """More than this endpoint or file may hold."""

    status = 413
    code = "too_large"


class NotSignedIn(KbError):
    """No valid session or key."""

    status = 401
    code = "not_signed_in"


class Forbidden(KbError):
    """Known, but not allowed to do this."""

    status = 403
    code = "forbidden"


class NotFound(KbError):
    """There is nothing here, or nothing this reader may see: the two are told apart nowhere."""

    status = 404
    code = "not_found"


class Conflict(KbError):
    """Somebody else changed the same thing."""

    status = 409
    code = "conflict"


class TooMany(KbError):
    """Too many attempts; try again later."""

    status = 429
    code = "too_many_requests"


class Unavailable(KbError):
    """A part that is needed is down; trying again later may help."""

    status = 503
    code = "unavailable"


class DiskFull(KbError):
    """There is no room left to store something."""

    status = 507
    code = "disk_full"


class HomeInUse(KbError):
    """Another process writes to the same KB_HOME."""

    status = 503
    code = "home_in_use"


class WrongSetting(KbError):
    """A setting that cannot be used."""

    code = "wrong_setting"
