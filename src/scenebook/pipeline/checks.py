"""What is checked before any kernel starts: paths, what lies there, and settings that have to go together."""

from __future__ import annotations

import importlib
import multiprocessing
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from scenebook.core.backbones import NAMED_WEIGHTS, check_layers, find_backbone
from scenebook.core.errors import DatasetError, InputError, SettingsError, WeightsError
from scenebook.core.profiles import find_plan
from scenebook.core.project import project_folder, project_root
from scenebook.core.published_cells import list_edits
from scenebook.core.settings import AUTO, DRAWN_SCENES, INTEL, WEIGHTS_SUFFIXES, Settings, check_runtime
from scenebook.core.wording import join_names
from scenebook.data.files import Tree
from scenebook.data.finding import check_sizes, find_images
from scenebook.data.images import check_folder, check_source
from scenebook.data.layout import parse_splits
from scenebook.data.user_tables import ClassMap
from scenebook.evaluation.claims.loading import claims_path, load_claims

_WEIGHTS_START = {".weights.h5": b"\x89HDF\r\n\x1a\n", ".keras": b"PK\x03\x04"}


def resolve_paths(settings: Settings, base: Path, tell_layout: Callable[[str], None] = lambda layout: None) -> Settings:
    """Returns settings whose folders and files are absolute, and checks that they are there and can be used.

    Args:
        settings: The settings; relative paths in them start at `base`.
        base: Where the command was typed.
        tell_layout: Called with how a folder or list of images was read, in words.

    Raises:
        InputError: A folder or a file is missing or cannot be used, or the backbone is unknown.
    """
    changes: dict[str, Any] = {}
    own_data = settings.dataset not in (DRAWN_SCENES, INTEL)
    if own_data:
        changes["dataset"] = str(check_source(base / settings.dataset))
    if settings.ablation_plan is not None:
        changes["ablation_plan"] = str(find_plan(settings.ablation_plan, project_folder("profiles"), base))
    for name in ("class_map", "claims_file"):
        value = getattr(settings, name)
        if value is not None:
            path = base / value
            if not path.is_file():
                raise SettingsError(f"Expected {name} to be an existing file.", received={name: str(path)})
            changes[name] = str(path.resolve())
    mapping = ClassMap.load(changes.get("class_map"))
    if settings.splits not in (AUTO, None):
        parse_splits(str(settings.splits))
    class_names = _list_known_classes(settings.dataset, mapping)
    if own_data:
        found = find_images(
            Path(changes["dataset"]),
            class_map=changes.get("class_map"),
            groups=settings.groups,
            splits=settings.splits,
            follow_links=settings.follow_links,
        )
        check_sizes(found)
        class_names = found.class_names
        alike = "".join(
            f"; {join_names([*map(ascii, names)])} count as different classes" for names in found.similar_names
        )
        tell_layout(found.layout + alike)
    if settings.samples_dir is not None:
        folder = check_folder(base / settings.samples_dir, "samples_dir")
        _check_samples(folder, class_names, follow_links=settings.follow_links)
        changes["samples_dir"] = str(folder)
    claims = load_claims(claims_path(changes.get("claims_file"))).claims
    if settings.ablation_plan is not None or settings.ablations != "none":
        # What studies need takes longer to import than all else that is checked here.
        from scenebook.study.plan import load_plan, plan_path
        from scenebook.study.verdicts import check_claims

        variants = load_plan(plan_path(changes.get("ablation_plan")), settings)
        # The project's plan goes with the project's claims: of another paper's claims it tests what it can.
        if settings.ablation_plan is not None:
            check_claims(variants, claims)
    check_runtime(settings.frozen_layers_runtime)
    if settings.weights not in NAMED_WEIGHTS:
        changes["weights"] = str(_check_weights(base / settings.weights))
    row = find_backbone(settings.backbone)
    if settings.image_size != AUTO and int(settings.image_size) < row.least_size:
        raise SettingsError(
            f"Expected image_size to be at least {row.least_size} for the backbone {row.name}.",
            received={"image_size": settings.image_size},
        )
    # The network counts its layers itself; here they are known unless somebody has edited what builds it.
    notebook = project_root() / "notebooks" / "02-training.ipynb"
    if settings.trainable_base_layers > row.layers and "build_model" not in list_edits(notebook):
        check_layers(settings.trainable_base_layers, row.layers, row.name)
    named = row.find_weights(settings.weights)
    if named and named.package:
        named.require_file()
    return settings.updated(changes)


def _check_weights(weights: Path) -> Path:
    names = (weights.resolve().name, weights.name)  # a link may be called otherwise than what it leads to
    suffix = next((suffix for name in names for suffix in WEIGHTS_SUFFIXES if name.endswith(suffix)), "")
    if not suffix or not weights.is_file():
        raise WeightsError(
            f"Expected weights to be one of {', '.join(NAMED_WEIGHTS)}, or an existing .weights.h5 or .keras file.",
            received={"weights": str(weights)},
        )
    with weights.open("rb") as file:
        start = file.read(8)
    if not start.startswith(_WEIGHTS_START[suffix]):
        raise WeightsError(
            f"Expected a {suffix} file that Keras has written.",
            received={"weights": str(weights), "begins with": start},
            advice="It is cut off or something else, a page that was saved in its place say: download it again.",
        )
    return weights.resolve()


def _list_known_classes(dataset: str, mapping: ClassMap) -> list[str]:
    """Returns the classes of images that are drawn or downloaded later."""
    if dataset == DRAWN_SCENES:
        from scenebook.data.scenes.drawing import CLASS_NAMES

        names = list(CLASS_NAMES)
    elif dataset == INTEL:
        from scenebook.data.sources import load_facts

        names = [folder.rpartition("/")[2] for folder in load_facts().images if folder.count("/") > 1]
    else:
        return []
    mapping.check(names)
    return sorted({label for name in names if (label := mapping.class_of(name)) is not None})


def _check_samples(folder: Path, class_names: Sequence[str], *, follow_links: bool) -> None:
    """Looks for an image of every class; whether it can be read, only decoding it would show."""
    from scenebook.data.decoding import read_size

    tree = Tree(folder, follow_links=follow_links)
    folders = tree.peek("").folders
    without = [
        name
        for name in class_names
        if name not in folders or not any(read_size(folder / name / file) for file, _ in tree.peek(name).images)
    ]
    if without:
        raise DatasetError(
            "Expected samples_dir to hold a folder with an image for every class.",
            received={"samples_dir": str(folder), "classes without": without[:10]},
            advice="Add the images, or leave samples_dir out: then they are taken from the test images.",
        )


def check_dask(scheduler: str | None) -> None:
    """Looks for what would keep dask from working: its files of settings, which it reads when it is imported.

    Args:
        scheduler: Address of a dask scheduler; without one, the workers are of this machine, and share its memory.

    Raises:
        InputError: A file of settings is not valid YAML, so that dask cannot be imported; or workers of this machine
            cannot be started.
    """
    if not scheduler:
        try:
            multiprocessing.get_context("spawn").Lock()
        except (OSError, ImportError) as error:
            raise InputError(
                "Expected shared memory, which the workers of a study need.",
                received={"error": str(error)},
                advice="Give the container a /dev/shm, or set ablations to none.",
            ) from None
    try:
        importlib.import_module("dask.config")
    except ValueError as error:
        raise InputError(
            "Expected dask's files of settings to be YAML: studies cannot run without dask.",
            received={"error": " ".join(str(error).split())},
            advice="Mend that file or move it away.",
        ) from None


def check_writable(folder: Path, variable: str) -> None:
    """Makes a folder and sees whether files can be written into it.

    Args:
        folder: The folder.
        variable: The environment variable that names another one.

    Raises:
        InputError: It cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            "Expected a folder that can be written to.",
            received={"folder": str(folder)},
            advice=f"{error.strerror or error}. {variable} names another one.",
        ) from None
