"""Images on their way into `fit`: plainly, or past layers that training never changes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf

from scenebook.core.settings import Settings
from scenebook.data.splitting import SplitImages
from scenebook.network import inputs
from scenebook.network.augmentation import make_view_seed
from scenebook.network.devices import share_statistics, sharing
from scenebook.network.feature_stream import FeatureStream, Rows, collect_features, stream_plain
from scenebook.network.frozen.cutting import split_frozen
from scenebook.network.frozen.running import FrozenRuntime, compile_frozen_layers
from scenebook.network.linear_head import check_linear_head, set_linear_weights
from scenebook.network.pretrained import build_extractor
from scenebook.network.recipe.caching import RecipeCaches
from scenebook.network.recipe.keeping import Keeper
from scenebook.network.recipe.predicting import predict_probs, prepare_plain
from scenebook.network.recipe.recipe import Recipe

Accelerated = tuple[keras.Model, tf.data.Dataset, tf.data.Dataset]


class TrainingData:
    """The training and validation images, as `train_model` is given them.

    Args:
        keeper: Keeps the state of the training, and says from which epoch on it is to be trained.
        keep_views: Whether the feature cache keeps augmented views.
        compile_layers: Makes the frozen layers ready to run.

    Attributes:
        part: What is fit in the last phase, or the started head; `None` before that.
        base: The layers that were cut off before it, which run in `runtime`; `None` without acceleration.
        count: How many training images there are, whose labels are int `(n,)`.
        is_linear: Whether the head is the linear classifier of `start_head`, and no phase has followed.
        stream: What `base` puts out for the training images; `None` where it is.
    """

    def __init__(
        self,
        recipe: Recipe,
        settings: Settings,
        train: SplitImages,
        validation: SplitImages,
        *,
        num_classes: int,
        keeper: Keeper,
        keep_views: bool = True,
        compile_layers: Callable[[keras.Model, str], FrozenRuntime] = compile_frozen_layers,
    ) -> None:
        self.part: keras.Model | None = None
        self.base: keras.Model | None = None
        self.runtime = ""
        self.stream: FeatureStream | None = None
        self._recipe, self._train, self._validation = recipe, train, validation
        self.settings, self._sharing = settings, sharing(settings.devices)
        self._num_classes, self.keeper = num_classes, keeper
        self._keep_views, self._compile_layers = keep_views, compile_layers
        self._run_base: FrozenRuntime | None = None
        self._caches = RecipeCaches(recipe, settings, train)
        self._epoch, self.is_linear = 0, False
        self.count, self.labels = len(train), train.labels

    def start_head(self, model: keras.Model, linear: Any) -> None:
        """Gives the last layer the weights of a linear classifier on frozen features, as `set_linear_weights` does.

        The features are what the base model puts out for the training images as they are, averaged over all places. A
        network whose head is not one dense layer on these is an `InputError`.
        """
        self.cut_at_head(model)
        if self._run_base is None:
            features = build_extractor(model).predict(self.prepared(self._train), verbose=0)
        else:
            features = collect_features(self._stream_plain(self._run_base, self._train), len(self._train))
        set_linear_weights(model.layers[-1], linear, features, self.labels)
        self.is_linear = True

    def cut_at_head(self, model: keras.Model) -> None:
        """Cuts a network in front of its last layer, where its features are."""
        extractor = build_extractor(model)
        check_linear_head(model.layers[-1], extractor.output.shape[-1])
        if not self.settings.accelerate:
            self.keeper.note_model(model, "")
            self.part = model
            return
        features = keras.Input(extractor.output.shape[1:], name="features")
        self.part = keras.Model([features], model.layers[-1](features), name="tail")
        self._run_frozen(model, extractor, keep_views=False)

    def accelerate(self, model: keras.Model) -> Accelerated:
        """Cuts off the layers that training will not change, so that only the others have to be fit.

        What these layers put out for an image is computed once, and kept in the feature cache. Both parts are made of
        the model's own layers: the model is trained when the part is. With the setting `accelerate` off, nothing is
        cut off.

        Args:
            model: The whole network, with what is to be frozen frozen.

        Returns:
            What is to be compiled and fit, and its training and validation batches, with one-hot labels float32
            `(batch, num_classes)`. Each time that the training batches are gone through is another epoch, in another
            order and with other views.
        """
        self.is_linear = False
        share_statistics(model, self.settings.devices)
        if not self.settings.accelerate:
            self.keeper.note_model(model, "")
            plain = tf.data.Dataset.zip(self.prepared(self._validation), self._batch_labels(self._validation))
            self.part = model
            return model, self._make_plain_ds(), plain
        base, self.part = split_frozen(model)
        self._run_frozen(model, base, keep_views=self._keep_views)
        return self.part, self._make_feature_ds(), self._make_validation_ds()

    def _run_frozen(self, model: keras.Model, base: keras.Model, *, keep_views: bool) -> None:
        self.base, self._run_base = base, self._compile_layers(base, self.settings.frozen_layers_runtime)
        self.runtime = self._run_base.name
        # Before a head is given other weights: a training is known by those that its network was built with.
        self.keeper.note_model(model, self.runtime)
        self._caches.open(base, self.runtime, keep_views=keep_views)
        self.stream = FeatureStream(self._run_base, self._make_views, self._train.digests, self._caches.views)
        self._caches.check()

    def resume(
        self, part: keras.Model, epochs: int, callbacks: Sequence[keras.callbacks.Callback] = ()
    ) -> dict[str, Any]:
        """Returns further arguments of `fit` of a compiled `part`: where it goes on, and what keeps its state."""
        first, last = self.keeper.begin_phase(part, epochs, callbacks, base=self.base)
        follow = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: setattr(self, "_epoch", epoch))
        every = [follow, *callbacks, *self.keeper.callbacks]
        self.keeper.expect(every)
        return {"initial_epoch": first, "epochs": last, "callbacks": every[:], "shuffle": False, "verbose": 0}

    def prepared(self, images: SplitImages) -> tf.data.Dataset:
        """Returns images as they are, in their order, as `prepare_plain` does."""
        ds = prepare_plain(self._recipe, self.settings, images, read=self._caches.plain_settings)
        self._caches.check()
        return ds

    def predict(self, images: SplitImages) -> np.ndarray:
        """Returns what the network's own `predict` does, but for last digits: float32 `(n, num_classes)`.

        Images are as they are. What the feature cache holds of them is not computed again.
        """
        part, run_base = self.part, self._run_base
        assert part is not None
        self._caches.check()
        if run_base is None:
            return predict_probs(part, self.prepared(images), test_time_flip=self.settings.test_time_flip)
        rows: list[Iterable[Any]] = [self._stream_plain(run_base, images)]
        if self.settings.test_time_flip:
            rows.append(run_base(tf.image.flip_left_right(batch)) for batch in self.prepared(images))
        probs = [np.concatenate([np.asarray(part(tensors, training=False)) for tensors in one]) for one in rows]
        return np.asarray(sum(probs) / len(probs))

    def _stream_plain(self, run_base: FrozenRuntime, images: SplitImages) -> Iterator[Rows]:
        # Other trainings may ask about training and validation images again.
        keep, size = images is self._train or images is self._validation, self.settings.batch_size
        return stream_plain(run_base, self.prepared, images, self._caches.plain, size=size, keep=keep)

    def fill(self, epochs: Iterable[int]) -> None:
        """Computes what the frozen layers make of the views of these epochs, where the feature cache lacks it."""
        if self.stream is None:
            return
        for view in dict.fromkeys(map(self._caches.view_of, epochs)):
            for _ in self.stream.batches(self.stream.list_missing(view), view, self.settings.batch_size):
                pass

    def compute_views(self, count: int) -> list[np.ndarray]:
        """Returns what is fit for so many views of the first epoch, float32 `(count, ...)` a tensor.

        Images are repeated where there are fewer. Where views are not kept, the feature cache is not used.
        """
        positions = np.resize(np.arange(self.count, dtype=np.int64), count)
        if self.stream is not None:
            return next(iter(self.stream.batches(positions, 0, count)))[1]
        views = self._prepare_views(self.settings)(tf.constant(positions), tf.constant(0, tf.int64))
        return [np.asarray(views)]

    def close(self) -> None:
        self._caches.close()

    def __enter__(self) -> Self:
        self._sharing.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._sharing.__exit__(*error)
        self.close()

    def _prepare_views(self, settings: Any) -> Callable[[Any, Any], tf.Tensor]:
        read, keys = inputs.make_reader(self._train), tf.constant(inputs.make_keys(self._train.digests))

        def make_views(positions: tf.Tensor, epoch: tf.Tensor) -> tf.Tensor:
            seeds = make_view_seed(self.settings.augmentation_seed, tf.gather(keys, positions), epoch)
            return self._recipe.prepare(read(positions), seeds, settings, True)

        return make_views

    def _make_views(self, asked: tf.data.Dataset) -> tf.data.Dataset:
        make_batch = self._prepare_views(self._caches.view_settings)
        return asked.map(make_batch, num_parallel_calls=tf.data.AUTOTUNE).prefetch(2)

    def _begin_epoch(self) -> tuple[int, np.ndarray]:
        epoch, self._epoch = self._epoch, self._epoch + 1
        positions = tf.range(len(self._train), dtype=tf.int64)
        order = tf.random.experimental.stateless_shuffle(positions, seed=[self.settings.seed, epoch])
        return epoch, np.asarray(order)

    def _make_plain_ds(self) -> tf.data.Dataset:
        size, labels = self.settings.batch_size, self._one_hot(self._train)

        def ask() -> Iterator[tuple[np.ndarray, int, np.ndarray]]:
            epoch, order = self._begin_epoch()
            for batch in np.split(order, range(size, len(order), size)):
                yield batch, self.settings.view_of(epoch), labels[batch]

        signature = (tf.TensorSpec((None,), tf.int64), tf.TensorSpec((), tf.int64), self._label_spec)
        asked = inputs.from_generator(ask, signature)
        make_batch = self._prepare_views(self.settings)
        ds = asked.map(lambda batch, epoch, given: (make_batch(batch, epoch), given), tf.data.AUTOTUNE).prefetch(2)
        return self._with_length(ds, len(self._train))

    def _make_feature_ds(self) -> tf.data.Dataset:
        size, labels = self.settings.batch_size, self._one_hot(self._train)

        def make_batches() -> Iterator[tuple[tuple[np.ndarray, ...], np.ndarray]]:
            epoch, order = self._begin_epoch()
            assert self.stream is not None
            for positions, rows in self.stream.batches(order, self._caches.view_of(epoch), size):
                yield tuple(rows), labels[positions]

        return self._generate(make_batches, len(self._train))

    def _make_validation_ds(self) -> tf.data.Dataset:
        kept: list[tuple[tuple[np.ndarray, ...], np.ndarray]] = []

        def make_batches() -> Iterator[tuple[tuple[np.ndarray, ...], np.ndarray]]:
            if not kept:
                assert self._run_base is not None
                rows = map(tuple, self._stream_plain(self._run_base, self._validation))
                kept.extend(zip(rows, self._batch_labels(self._validation).as_numpy_iterator(), strict=True))
            yield from kept

        return self._generate(make_batches, len(self._validation))

    def _generate(self, make_batches: Callable[[], Iterator[Any]], count: int) -> tf.data.Dataset:
        assert self.base is not None
        tensors = tuple(tf.TensorSpec((None, *tensor.shape[1:]), tf.float32) for tensor in self.base.outputs)
        ds = inputs.from_generator(make_batches, (tensors, self._label_spec))
        return self._with_length(ds.prefetch(2), count)

    def _with_length(self, ds: tf.data.Dataset, count: int) -> tf.data.Dataset:
        # Without the number of batches Keras would warn that the data ran out.
        batches = math.ceil(count / self.settings.batch_size)
        return ds.apply(tf.data.experimental.assert_cardinality(batches))

    @property
    def _label_spec(self) -> tf.TensorSpec:
        return tf.TensorSpec((None, self._num_classes), tf.float32)

    def _one_hot(self, images: SplitImages) -> np.ndarray:
        return np.asarray(tf.one_hot(images.labels, self._num_classes))

    def _batch_labels(self, images: SplitImages) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensor_slices(self._one_hot(images)).batch(self.settings.batch_size)
