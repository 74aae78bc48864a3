"""The sentences of the abstract and the conclusion. Each number comes from an artifact; both outcomes are written."""

from scenebook.conclusions.abstract import write_abstract
from scenebook.conclusions.conclusion import compare_with_training, write_conclusion, write_reasons
from scenebook.conclusions.facts import (
    collect_facts,
    collect_points,
    collect_recipe,
    describe_commonest,
    name_backbone,
)
from scenebook.conclusions.reproducing import list_files, write_command

__all__ = [
    "collect_facts",
    "collect_points",
    "collect_recipe",
    "compare_with_training",
    "describe_commonest",
    "list_files",
    "name_backbone",
    "write_abstract",
    "write_command",
    "write_conclusion",
    "write_reasons",
]
