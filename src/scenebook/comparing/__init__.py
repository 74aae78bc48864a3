"""Two runs side by side, and a run against its own repetition. No TensorFlow."""

from scenebook.comparing.changes import ABSENT, Change, list_changes
from scenebook.comparing.code import CodeChange, CodeDiff, diff_code
from scenebook.comparing.differences import print_diff
from scenebook.comparing.files import FileProblem, check_files
from scenebook.comparing.pictures import PicturesDiff, diff_pictures
from scenebook.comparing.results import compare_results
from scenebook.comparing.rows import Pair, Row
from scenebook.comparing.runs import RunsDiff, diff_runs
from scenebook.comparing.scores import PairedScores, diff_scores, pair_scores
from scenebook.comparing.strangers import check_settings
from scenebook.comparing.tolerances import Rule
from scenebook.comparing.verdict import print_verification, write_verdict
from scenebook.comparing.verifying import Verification, verify_run

__all__ = [
    "ABSENT",
    "Change",
    "CodeChange",
    "CodeDiff",
    "FileProblem",
    "Pair",
    "PairedScores",
    "PicturesDiff",
    "Row",
    "Rule",
    "RunsDiff",
    "Verification",
    "check_files",
    "check_settings",
    "compare_results",
    "diff_code",
    "diff_pictures",
    "diff_runs",
    "diff_scores",
    "list_changes",
    "pair_scores",
    "print_diff",
    "print_verification",
    "verify_run",
    "write_verdict",
]
