"""Random edits of a recipe's cells, as a learner might make them: each gives another source, and sometimes a broken
one."""

from __future__ import annotations

import ast
import random
from collections.abc import Callable
from typing import Any

BESIDE = "beside_the_notebook"
"""The module that some edits import."""

_SHADES = [
    # What goes before `prepare`, and what is made of its images: {v} is a number that is drawn.
    ("FACTOR = {v}", "images * FACTOR"),
    ("def make_shade(by):\n    def shade(images):\n        return images * by\n    return shade\n"
     "shade = make_shade({v})",
     "shade(images)"),
    ("def shade_by(images, by={v}):\n    return images * by", "shade_by(images)"),
    ("def shade_only(images, *, by={v}):\n    return images * by", "shade_only(images)"),
    ("def set_shade(images):\n    return images * set_shade.by\n\n\nset_shade.by = {v}", "set_shade(images)"),
    ("import functools\nshade_partly = functools.partial(tf.multiply, y={v})", "shade_partly(images)"),
    ("class Shade:\n    by = {v}\n    def __call__(self, images):\n        return images * self.by\n"
     "shade_it = Shade()",
     "shade_it(images)"),
    ("class Options(dict):\n    def shade(self, images):\n        return images * {v}\n\n\noptions = Options()",
     "options.shade(images)"),
    ("class ShadeLayer(layers.Layer):\n    def call(self, images):\n        return images * self.by[0]\n\n\n"
     "shade_layer = ShadeLayer()\nshade_layer.by = [{v}]", "shade_layer(images)"),
    ("import functools\n@functools.cache\ndef find_shade():\n    return {v}", "images * find_shade()"),
    ("import numpy as np\nSHADES = np.full(3, {v}, 'float32')", "images * tf.constant(SHADES)"),
    ("LEVEL = tf.Variable({v})", "images * LEVEL"),
    ("LEVELS = [tf.Variable({v}), tf.Variable(1.0)]", "images * LEVELS[0 if training else 1]"),
    ("BY_NAME = {{'shade': lambda images: images * {v}}}", "BY_NAME['shade'](images)"),
    ("STEPS = [1.0]\nSTEPS[0] = {v}", "images * STEPS[0]"),
    ("rescaling = layers.Rescaling({v})", "rescaling(images)"),
    ("shades = layers.Lambda(lambda images: images * DARK)\nDARK = {v}", "shades(images)"),
    ("def darken(images):\n    return images * {v}\n\n\nmany = keras.Sequential([layers.Lambda(darken)])",
     "many(images)"),
    ("bright = layers.RandomBrightness({v}, seed=3)", "bright(images, training=True)"),
    (f"# {{v}}\nimport {BESIDE}", f"{BESIDE}.shade(images)"),
    (f"# {{v}}\nfrom {BESIDE} import shade as shade_of_another", "shade_of_another(images)"),
    ("", "images * {v}"),
    ("", "images * tf.cast(settings.zoom_range + {v}, tf.float32)"),
    ("", "images * settings.model_dump()['width_shift_range']"),
    ("", "images * ({v} if settings.horizontal_flip else 0.5)"),
    ("", "images - {v} * tf.reduce_mean(images)"),
    ("", "{v} * images + (1 - {v}) * tf.roll(images, 1, 0)"),
    ("", "images * tf.cast(seeds[:, :1, None, None] % 2, tf.float32)"),
    ("", "images * tf.random.stateless_uniform((), seeds[0])"),
]  # fmt: skip

_LAYERS = [
    "layers.Dropout({v})",
    "layers.Dense(4, activation='tanh')",
    "layers.BatchNormalization()",
    "layers.GaussianNoise({v}, seed=1)",
    "layers.Rescaling({v})",
]

_SETTINGS: list[dict[str, Any]] = [
    *({"rotation_range": 5}, {"zoom_range": 0.0}, {"shear_range": 3.0}, {"horizontal_flip": False}),
    *({"augmentation_seed": 1}, {"learning_rate": 0.01}, {"seed": 1}, {"trainable_base_layers": 20}),
    *({"batch_size": 5}, {"head_pooling": "average"}, {"preprocessing": "rescale"}, {"epochs": 1}),
    {"epochs": 1, "fine_tune_epochs": 1, "fine_tune_layers": 10, "fine_tune_learning_rate": 0.001},
]

_OPERATORS: list[type[ast.operator]] = [ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod]
_COMPARISONS: list[type[ast.cmpop]] = [ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE]


def draw_number(rng: random.Random) -> float:
    return rng.choice([0.3, 0.6, 0.9])


def edit_recipe(source: str, rng: random.Random) -> tuple[str, dict[str, Any]]:
    """Returns an edited source, and settings that differ from the defaults."""
    tree = ast.parse(source)
    for _ in range(rng.randint(1, 2)):
        rng.choices(list(_EDITS), weights=list(_EDITS.values()))[0](tree, rng)
    changes = rng.choice(_SETTINGS) if rng.random() < 0.3 else {}
    return ast.unparse(ast.fix_missing_locations(tree)), changes


def _list_nodes(tree: ast.Module, *kinds: type[ast.AST]) -> list[Any]:
    """The nodes of these kinds within functions, without their docstrings."""
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return [node for function in functions for node in ast.walk(function) if isinstance(node, kinds)]


def _edit_constant(tree: ast.Module, rng: random.Random) -> None:
    node = rng.choice(_list_nodes(tree, ast.Constant))
    if isinstance(node.value, bool):
        node.value = not node.value
    elif isinstance(node.value, (int, float)):
        node.value = rng.choice([node.value + 1, node.value * 2, node.value - 1, 0])
    else:
        node.value = {"relu": "tanh", "softmax": "sigmoid", "flatten": "average"}.get(node.value, node.value)


def _edit_operator(tree: ast.Module, rng: random.Random) -> None:
    node = rng.choice(_list_nodes(tree, ast.BinOp, ast.Compare, ast.BoolOp, ast.If))
    if isinstance(node, ast.BinOp):
        node.op = rng.choice(_OPERATORS)()
    elif isinstance(node, ast.Compare):
        node.ops = [rng.choice(_COMPARISONS)() for _ in node.ops]
    elif isinstance(node, ast.BoolOp):
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    else:
        node.test = ast.UnaryOp(ast.Not(), node.test)


def _swap_calls(tree: ast.Module, rng: random.Random) -> None:
    """What one call calls, or one keyword is given, goes to another."""
    nodes = rng.choice([_list_nodes(tree, ast.Call), _list_nodes(tree, ast.keyword)])
    one, other = rng.sample(nodes, 2)
    attribute = "func" if isinstance(one, ast.Call) else "value"
    mine, its = getattr(one, attribute), getattr(other, attribute)
    setattr(one, attribute, its)
    setattr(other, attribute, mine)


def _swap_settings(tree: ast.Module, rng: random.Random) -> None:
    read = [node for node in _list_nodes(tree, ast.Attribute) if ast.unparse(node.value) == "settings"]
    one, other = rng.sample(read, 2)
    one.attr, other.attr = other.attr, one.attr


def _drop_keyword(tree: ast.Module, rng: random.Random) -> None:
    call = rng.choice([node for node in _list_nodes(tree, ast.Call) if node.keywords])
    del call.keywords[rng.randrange(len(call.keywords))]


def _insert_layer(tree: ast.Module, rng: random.Random) -> None:
    head = max(_list_nodes(tree, ast.List), key=lambda node: "layers.Dense" in ast.unparse(node))
    text = rng.choice(_LAYERS).format(v=draw_number(rng))
    head.elts.insert(rng.randint(0, 2), ast.parse(text, mode="eval").body)


def _shade(tree: ast.Module, rng: random.Random) -> None:
    """Makes the images darker, in one of the ways that Python has for saying so."""
    before, expression = rng.choice(_SHADES)
    by = draw_number(rng)
    place = next(
        number for number, node in enumerate(tree.body) if isinstance(node, ast.FunctionDef) and node.name == "prepare"
    )
    prepare = tree.body[place]
    assert isinstance(prepare, ast.FunctionDef)
    made = f"images = tf.cast(images, tf.float32)\nimages = {expression.format(v=by)}"
    if rng.random() < 0.5:
        made = f"if training:\n    images = tf.cast(images, tf.float32)\n    images = {expression.format(v=by)}"
    prepare.body[-1:-1] = ast.parse(made).body
    tree.body[place:place] = ast.parse(before.format(v=by)).body


_EDITS: dict[Callable[[ast.Module, random.Random], None], int] = {
    _edit_constant: 3,
    _edit_operator: 2,
    _swap_calls: 1,
    _swap_settings: 3,
    _drop_keyword: 2,
    _insert_layer: 2,
    _shade: 12,
}
