"""A recipe: the functions that define an experiment, with their digests and their source."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from scenebook.core.errors import InputError
from scenebook.core.progress import print_progress
from scenebook.core.run_directory import RunDirectory, write_bytes
from scenebook.core.run_files import RECIPE, RECIPE_SOURCE, SUMMARY
from scenebook.core.settings import make_settings
from scenebook.network.backbones import find_preprocessing
from scenebook.network.recipe.digests import CodeDigest, digest_code
from scenebook.network.recipe.source import FUNCTIONS, collect_source, load_source

OF_THE_NOTEBOOK = "notebook"  # in a summary: what the notebook's cells say, and not a setting


class Recipe:
    """What the recipe cells of a notebook define.

    - `prepare(images, seeds, settings, training)`: what happens to a batch before the network sees it. Images are uint8
      `(batch, height, width, 3)` in `[0, 255]`, seeds int64 `(batch, 2)`, another one for every image and epoch; it
      returns float32 `(batch, height, width, 3)`.
    - `build_model(settings, num_classes)`: returns a Keras model from one image to class probabilities.
    - `train_model(model, data, settings)`: trains it, in one phase or several; `data` is a `TrainingData`.

    Args:
        names: The variables of the notebook, or of a module from `load_source`.
        functions: Those of the functions that are needed; of a recipe without the others, these are not there.

    Raises:
        InputError: One of the functions is not defined.
    """

    prepare: Callable[..., Any]
    build_model: Callable[..., Any]
    train_model: Callable[..., Any]

    def __init__(self, names: Mapping[str, Any], functions: Sequence[str] = FUNCTIONS) -> None:
        missing = [name for name in functions if not callable(names.get(name))]
        if missing:
            raise InputError(
                "Expected a notebook that defines the functions prepare, build_model and train_model.",
                received={"missing": ", ".join(missing)},
                advice="Run the cells that define them first.",
            )
        self._names, self._functions = names, functions
        for name in functions:
            setattr(self, name, names[name])

    def digest(self, *functions: str, states: bool = True) -> CodeDigest:
        """Digests some of the functions, or all of them, with what they use now: a notebook may change that."""
        return digest_code({name: self._names[name] for name in functions or self._functions}, states=states)

    def collect_source(self) -> str:
        """Returns Python code that defines the functions."""
        return collect_source(self._names, self.digest())


def keep_recipe(run_dir: RunDirectory, names: Mapping[str, Any]) -> Recipe:
    """Takes the recipe from a notebook's variables, and keeps its source in the run, for further seeds and for studies.

    Raises:
        InputError: One of the functions is not defined.
    """
    recipe = Recipe(names)
    write_bytes(run_dir.path(RECIPE_SOURCE), recipe.collect_source().encode("utf-8", "surrogatepass"))
    code = recipe.digest()
    if not code.is_known:
        print_progress(
            f"the cells of this notebook use what cannot be compared with another run ({'; '.join(code.unknown)}"
            "), so nothing of this training is kept for others or taken from them"
        )
    return recipe


def read_recipe(run_dir: RunDirectory, code: Mapping[str, str] | None = None) -> Recipe:
    """Returns the recipe with which a run was trained, from its source.

    It has to do the same as the notebook's where that one's `Recipe.digest(states=False).parts` are given.

    Raises:
        InputError: It cannot be run by itself, or does something else than the notebook's cells did.
    """
    recipe = Recipe(vars(load_source(run_dir.path(RECIPE_SOURCE).read_text(encoding="utf-8"))))
    parts = recipe.digest(states=False).parts if code is not None else {}
    changed = sorted(name for name, digest in (code or {}).items() if parts.get(name) != digest)
    if changed:
        raise InputError(
            "Expected cells of notebook 02 whose functions do the same in another process.",
            received={"different": ", ".join(changed[:3])},
            advice="Define what they use in the cell where they are, by one statement each.",
        )
    return recipe


def load_prepare(run_dir: RunDirectory, *, trust: bool) -> Callable[[Any], Any]:
    """Returns what makes images ready for a run's network.

    It maps uint8 `(n, height, width, 3)` to float32 of the same shape. With `trust`, code that comes with the run may
    be run.

    Raises:
        InputError: It is code of the run's notebook, which is not trusted; or this version has none of its name.
    """
    name = run_dir.read_json(SUMMARY)["preprocessing"]
    if name == OF_THE_NOTEBOOK and trust:
        recipe, settings = read_recipe(run_dir), make_settings(run_dir.read_json(RECIPE))
        return lambda images: recipe.prepare(images, np.zeros((len(images), 2), np.int64), settings, False)
    if name == OF_THE_NOTEBOOK:
        raise InputError(
            "Expected a run whose images are prepared by a backbone's own function. Those of this run are prepared by "
            "code in its notebook.",
            received={"run": run_dir.name},
            advice=f"If you know who made {RECIPE_SOURCE}, say so with --trust.",
        )
    preprocess_input = find_preprocessing(name)
    if preprocess_input is None:
        raise InputError(
            "Expected a run that was trained with the preprocessing that this version uses.",
            received={"preprocessing": name},
            advice="Run `make report` again.",
        )
    return lambda images: preprocess_input(np.asarray(images, np.float32))
