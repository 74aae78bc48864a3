"""Variants of a run's recipe: which there are, which pictures each is trained on, and what came out. No TensorFlow."""

from scenebook.ablations.describing import describe_limits, describe_study, read_differences, read_gaps
from scenebook.ablations.folds import Fold, make_folds
from scenebook.ablations.plan import BASE, CLAIMS, FULL, NONE, Variant, choose_variants, load_plan, plan_path
from scenebook.ablations.records import Record, count_others, read_records, remove_others, write_record
from scenebook.ablations.results import RESULTS_FILE, tabulate, tabulate_shown
from scenebook.ablations.summaries import Summary, summarize
from scenebook.ablations.telling import VERDICTS_FILE, judge, tell_claims
from scenebook.ablations.trials import Task, Trial, list_trials
from scenebook.ablations.verdicts import check_claims

__all__ = [
    "BASE",
    "CLAIMS",
    "FULL",
    "NONE",
    "RESULTS_FILE",
    "VERDICTS_FILE",
    "Fold",
    "Record",
    "Summary",
    "Task",
    "Trial",
    "Variant",
    "check_claims",
    "choose_variants",
    "count_others",
    "describe_limits",
    "describe_study",
    "judge",
    "list_trials",
    "load_plan",
    "make_folds",
    "plan_path",
    "read_differences",
    "read_gaps",
    "read_records",
    "remove_others",
    "summarize",
    "tabulate",
    "tabulate_shown",
    "tell_claims",
    "write_record",
]
