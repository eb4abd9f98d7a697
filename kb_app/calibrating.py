"""Keep what a confidence means in step with what the knowledge base holds."""

from __future__ import annotations

from indexer.build import Plan
from indexer.calibration import calibrate
from kb_app import indexing
from kb_app.kb import Kb
from search.confidence import Calibration, write_calibration

MUCH = 0.3
"""A calibration is out of date when the number of documents has changed by more than this share."""


def refit(kb: Kb) -> Calibration:
    """Fit a calibration on the published questions and keep it in KB_HOME; the next index built stores it."""
    with kb.database.read() as session:
        records = list(indexing.records(session))
    plan = Plan(kb.settings.index_root, kb.analyzer, kb.encoder)
    fitted = calibrate(records, plan, int(kb.clock()))
    write_calibration(kb.settings.calibration, fitted)
    return fitted


def outdated(calibration: Calibration, documents: int) -> str:
    """Why a calibration should be fitted anew, "" when it need not."""
    if not calibration.documents:
        return "the one that ships; `kb calibrate` fits it to content of your own"
    if abs(documents - calibration.documents) > MUCH * calibration.documents:
        return f"fitted when there were {calibration.documents} documents, now {documents}; run `kb calibrate`"
    return ""
