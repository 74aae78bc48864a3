"""The short report: the text and its appendix. What it leaves out, it says where to find."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

from scenebook.rendering.document import SUPPLEMENT, Heading, Report, Section, Work
from scenebook.rendering.numbering import Target

PAGE = "report.html"
"""The file that has everything."""


def for_paper(report: Report, targets: dict[str, Target]) -> tuple[Report, dict[str, Target]]:
    """Returns what is printed of a numbered report, and what labels name there.

    That is all of it or the short report, as the front matter has it. Numbers are the same in both, and on the page:
    the supplement comes last. A reference to something of it names it and is no link.
    """
    if report.front.length == "full":
        kept = report.sections
    else:
        kept = [section for section in report.sections if section.name != SUPPLEMENT]
        targets = {label: _name_elsewhere(target) for label, target in targets.items()}
    left_out = [section for section in report.sections if section not in kept]
    elsewhere = _tell_elsewhere(left_out, has_sources=report.sources is not None)
    paper = dataclasses.replace(report, sections=kept, sources=None, elsewhere=elsewhere)
    return dataclasses.replace(paper, references=_list_cited(paper)), targets


def find_works_of_supplement(report: Report) -> set[str]:
    """Returns the keys of the works that nothing but the supplement cites."""
    kept = [section for section in report.sections if section.name != SUPPLEMENT]
    cited = _list_cited(dataclasses.replace(report, sections=kept))
    return {work.key for work in report.references if work not in cited}


def _list_cited(report: Report) -> list[Work]:
    keys = {item["key"] for _, node in report.nodes("Citation") for item in node["c"]["items"]}
    return [work for work in report.references if work.key in keys]


def _name_elsewhere(target: Target) -> Target:
    if target.part != SUPPLEMENT:
        return target
    place = "" if target.is_section else f" of the {SUPPLEMENT}"
    return dataclasses.replace(target, text=target.text + place, anchor="")


def _tell_elsewhere(left_out: Sequence[Section], *, has_sources: bool) -> str:
    """Returns a sentence on what only the page has; nothing where it has no more."""
    blocks = itertools.chain.from_iterable(section.blocks for section in left_out)
    parts = [block.plain for block in blocks if isinstance(block, Heading) and block.level == 2]
    told = [f"the supplement ({'; '.join(dict.fromkeys(parts))})"] if parts else ["the supplement"] if left_out else []
    told += ["the source of each number"] if has_sources else []
    return f"{PAGE} also has {' and '.join(told)}." if told else ""
