"""The stages of a run, in one table: a new one is a row here, a notebook and a line of the README."""

from __future__ import annotations

from dataclasses import dataclass

from scenebook.core.run_files import FINISHED_FIT, MODEL, OF_TRUST, SPLITS, STUDY_RECORDS, SUMMARY, TEST_PREDICTIONS


@dataclass(frozen=True)
class Stage:
    """What is particular to a stage. Its files lie in the run's folder of its name, but for those `elsewhere`.

    Attributes:
        notebook: Its notebook's name, without `.ipynb`.
        needs: The stages before it whose files its notebook reads; what they need counts as well. It may run beside any
            other. `None`: all stages before it.
        on_all_cores: The setting with which it trains on all cores, and then runs alone, unless that is `none`.
        elsewhere: Its files that lie in another stage's folder, beside what they are about.
        less_memory: What to lower when it needs more memory than there is.
        kept: How files begin that it keeps from one execution to the next, and removes itself.
        forgotten: Patterns of files that are removed when it is forced: it would go on from them.
        text_columns: Columns of the tables that it writes that are text, whatever they hold: a class may be called
            `1`, `NA` or `true`.
        bundled: Its files and folders that `bundle` takes.
        reads_images: Whether its key covers the images of the dataset.
        reads_repository: Whether its key covers the repository that the report's front matter names.
    """

    name: str
    notebook: str
    needs: tuple[str, ...] | None = None
    on_all_cores: str = ""
    elsewhere: tuple[str, ...] = ()
    less_memory: str = "image_size or the number of images"
    kept: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()
    text_columns: tuple[str, ...] = ()
    bundled: tuple[str, ...] = ()
    reads_images: bool = False
    reads_repository: bool = False


_ROWS = (
    Stage(
        name="data",
        notebook="01-data",
        less_memory="max_megapixels or image_size",
        text_columns=(
            *("path", "label", "split", "reason", "sha256"),
            *("phash", "phash_mirrored", "phash_inner", "phash_inner_mirrored"),
        ),
        bundled=(SPLITS,),
        reads_images=True,
    ),
    Stage(
        name="training",
        notebook="02-training",
        less_memory="batch_size, head_units or image_size",
        kept=("training/checkpoint",),
        forgotten=(FINISHED_FIT, "training/checkpoint*.npz"),
        text_columns=("path", "label", "predicted"),
        bundled=(MODEL, SUMMARY, TEST_PREDICTIONS),
    ),
    Stage(
        name="evaluation",
        notebook="03-evaluation",
        needs=("training",),
        text_columns=(
            *("path", "label", "class", "predicted", "majority", "pixels", "random_untouched", "random_renormalised"),
            *("random_features", "pretrained_few", "pretrained_features"),
        ),
        bundled=("evaluation",),
    ),
    Stage(
        name="samples",
        notebook="04-visual-samples",
        needs=("training",),
        text_columns=("path", "label", "predicted"),
        bundled=("samples",),
    ),
    Stage(
        name="trust",
        notebook="appendix-trust",
        needs=("evaluation",),
        elsewhere=OF_TRUST,
        text_columns=("path", "label", "split", "predicted", "suggested", "nearest"),
        bundled=OF_TRUST,
    ),
    Stage(
        name="ablations",
        notebook="05-ablations",
        needs=("training",),
        on_all_cores="ablations",
        less_memory="batch_size, head_units or image_size",
        kept=(f"{STUDY_RECORDS}/",),
        text_columns=("variant", "title", "changed", "status", "error"),
    ),
    Stage(name="conclusion", notebook="06-conclusion", reads_repository=True),
)

STAGES = {stage.name: stage for stage in _ROWS}
"""The stages by their names, in the order of the report; none needs a later one."""


def find_needed(stage: str) -> frozenset[str]:
    """Returns the stages that have to be done before one can run."""
    names = list(STAGES)
    earlier, needs = names[: names.index(stage)], STAGES[stage].needs
    direct = earlier if needs is None else [name for name in earlier if name in needs]
    return frozenset(direct).union(*(find_needed(name) for name in direct))


def find_producer(file: str) -> Stage | None:
    """Returns the stage that writes a file of a run, given by its name there; `None` where no stage does."""
    others = (stage for stage in STAGES.values() if file in stage.elsewhere)
    return next(others, None) or STAGES.get(file.split("/")[0])


KEPT = tuple(file for stage in _ROWS for file in stage.kept)
"""How files begin that some stage keeps from one execution to the next."""
