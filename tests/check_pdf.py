"""Checks PDFs with programs that are not the one that wrote them: `python tests/check_pdf.py report.pdf ...`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import page


def run(*command: str) -> str:
    """Returns what a program printed; ends with what it said when it found something wrong."""
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=120, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def check(path: Path) -> str:
    """Checks one file. Returns a line on it; ends the program where something is wrong."""
    run("qpdf", "--check", str(path))
    info = dict(line.split(":", 1) for line in run("pdfinfo", str(path)).splitlines() if ":" in line)
    facts = {name: info[name].strip() for name in ("Title", "Tagged", "JavaScript", "Encrypted", "Form", "Pages")}
    wanted = {"Tagged": "yes", "JavaScript": "no", "Encrypted": "no", "Form": "none"}
    wrong = {name: facts[name] for name, value in wanted.items() if facts[name] != value}
    if wrong or not facts["Title"]:
        sys.exit(f"Expected a title and {wanted}. Received: {facts}")
    fonts = [line.split() for line in run("pdffonts", str(path)).splitlines()[2:]]
    # The columns emb, sub and uni stand before the two numbers of the object.
    loose = [" ".join(font) for font in fonts if font[-5:-2] != ["yes", "yes", "yes"]]
    if loose or not fonts:
        sys.exit(f"Expected every font to be embedded as a subset, with its text. Received: {loose}")
    report = page.validate_pdf(path, profile="ua1")
    if not report.is_compliant:
        sys.exit("\n".join(f"PDF/UA-1 {failure.rule_id}: {failure.message}" for failure in report.failures))
    return (
        f"{path}: {facts['Pages']} pages, {path.stat().st_size / 1e6:.2f} MB, {len(fonts)} fonts embedded; qpdf clean; "
        f"PDF/UA-1: {report.rules.passed} of {report.rules.total} rules"
    )


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("Expected the paths of PDFs.")
    for name in sys.argv[1:]:
        print(check(Path(name)))
