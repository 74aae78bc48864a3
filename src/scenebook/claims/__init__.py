"""A paper's claims, held against a run: reported, measured, verdict, and why. No TensorFlow."""

from scenebook.claims.loading import claims_path, list_works, load_claims
from scenebook.claims.schema import ClaimsFile
from scenebook.claims.tables import tabulate_all, tabulate_decided, to_records
from scenebook.claims.telling import JUDGED_FILE, describe_outcome, describe_paper, describe_rest
from scenebook.claims.verdicts import (
    CONTRADICTED,
    NOT_COMPARABLE,
    NOT_REPRODUCED,
    NOT_TESTED,
    REPRODUCED,
    UNDECIDED,
    VERDICTS,
    Judged,
    judge_claims,
)

__all__ = [
    "CONTRADICTED",
    "JUDGED_FILE",
    "NOT_COMPARABLE",
    "NOT_REPRODUCED",
    "NOT_TESTED",
    "REPRODUCED",
    "UNDECIDED",
    "VERDICTS",
    "ClaimsFile",
    "Judged",
    "claims_path",
    "describe_outcome",
    "describe_paper",
    "describe_rest",
    "judge_claims",
    "list_works",
    "load_claims",
    "tabulate_all",
    "tabulate_decided",
    "to_records",
]
