"""Which part of a report keeps its PDF from being tagged. Typst says what is wrong, but not where."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from scenebook.rendering.document import Block, Figure, Heading, Report, Section, Table


def name_culprits(report: Report, is_taggable: Callable[[Report], bool]) -> list[str]:
    """Names the figures, tables and cells that cannot be tagged, each once, in reading order.

    Args:
        report: Numbered; not taggable as a whole.
        is_taggable: Says whether a report that is a part of it can be.
    """
    named: list[str] = []
    for section in report.sections:

        def check(blocks: Sequence[Block], section: Section = section) -> bool:
            return is_taggable(_part(report, section, blocks))

        named += [_name(block) for block in _search(section.blocks, check)] if check([]) else [_name(section.heading)]
    return list(dict.fromkeys(named))


def _search(blocks: Sequence[Block], is_taggable: Callable[[Sequence[Block]], bool]) -> list[Block]:
    """Halves the blocks until each guilty one stands alone."""
    if not blocks or is_taggable(blocks):
        return []
    if len(blocks) == 1:
        return list(blocks)
    half = len(blocks) // 2
    return _search(blocks[:half], is_taggable) + _search(blocks[half:], is_taggable)


def _part(report: Report, section: Section, blocks: Sequence[Block]) -> Report:
    """Returns a report of some blocks of one section. Levels of headings that the part lacks are made up for."""
    kept: list[Block] = []
    deepest = 1
    for block in blocks:
        if isinstance(block, Heading):
            deepest = min(block.level, deepest + 1)
            block = dataclasses.replace(block, level=deepest)
        kept.append(block)
    return dataclasses.replace(report, abstract=[], banners=[], sections=[Section(section.heading, kept)])


def _name(block: Block) -> str:
    if isinstance(block, Heading):
        return f"a heading of {block.title.origin}"
    if isinstance(block, Figure):
        return f"Fig. {block.number} of {block.origin}"
    if isinstance(block, Table):
        return f"Table {block.number} of {block.origin}"
    return str(block.body.origin if hasattr(block, "body") else block.origin)
