"""Checks a finished run of the paper profile on real photographs: `python tests/check_real_run.py <run>`."""

from __future__ import annotations

import sys

from scenebook.core.run_directory import default_build_dir, open_run


def main(name: str) -> None:
    """Exits with a message where the run is not what it must be."""
    run_dir = open_run(name)
    summary = run_dir.read_json("training/summary.json")
    counts = [summary[key] for key in ("total_params", "trainable_params", "non_trainable_params", "layers")]
    expect(counts == [76_023_686, 52_440_070, 23_583_616, 178], f"parameter counts: {counts}")
    metrics = run_dir.read_json("evaluation/metrics.json")
    # Three epochs on 27 images a class: above chance (0.17), and far from what a full run reaches.
    expect(metrics["accuracy"]["low"] > 0.4, f"accuracy: {metrics['accuracy']}")
    history = run_dir.read_csv("training/history.csv")
    expect(history["loss"].iloc[-1] < history["loss"].iloc[0], "the loss does not fall")
    baselines = run_dir.read_json("evaluation/baselines.json")
    expect(baselines["transfer"]["low"] > 0, f"what transfer learning adds: {baselines['transfer']}")
    verdicts = {claim["id"]: claim["verdict"] for claim in run_dir.read_json("conclusion/claims.json")}
    expect(verdicts["total-parameters"] == "reproduced", f"the parameters: {verdicts['total-parameters']}")
    expect(verdicts["layers"].startswith("contradicted"), f"152 layers: {verdicts['layers']}")
    build = default_build_dir() / name
    for file, magic in (("report.pdf", b"%PDF-"), ("report.html", b"<!DOCTYPE html>")):
        expect((build / file).read_bytes().lstrip()[:15].lower().startswith(magic.lower()), f"{file} is none")
    expect((build / "report.pdf").stat().st_size < 8_000_000, "report.pdf is larger than 8 MB")
    print(f"{name}: n={metrics['n']}, accuracy={metrics['accuracy']}")


def expect(holds: bool, what: str) -> None:
    if not holds:
        sys.exit(f"The run on real photographs is wrong: {what}")


if __name__ == "__main__":
    main(sys.argv[1])
