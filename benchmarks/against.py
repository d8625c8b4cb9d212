"""Compare this working tree with another commit: the same measurements of both, alternating, in several rounds.

The other commit's program runs from a git worktree of its own, with the packages that are installed here. The benchmark
itself is that of the working tree.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from benchmarks.loads import ROOT, Figures
from benchmarks.processes import processor_seconds

# It says nothing about the program.
_NOT_COMPARED = "bare route"


def compare(commit: str, folder: Path, parts: Sequence[str], options: Sequence[str], *, rounds: int) -> str:
    """Measure parts of the benchmark for both, and describe the ratios.

    Args:
        options: of the benchmark, for both.

    Raises:
        subprocess.CalledProcessError: there is no such commit, or a measurement failed.
    """
    name = _git("rev-parse", "--short", "--verify", f"{commit}^{{commit}}")
    here, there = Figures(), Figures()
    with _worktree(name, folder / f"against-{name}") as other:
        for number in range(1, rounds + 1):
            for part in parts:
                sides = [("this tree", ROOT, here), (name, other, there)]
                # Each side is measured first in half of the rounds.
                for title, tree, figures in sides if number % 2 else reversed(sides):
                    print(f"round {number} of {rounds}: {part}, {title}", flush=True)
                    _measure(part, tree, folder, options, figures)
    return "\n".join(_table(here, there, name, rounds)) + "\n"


def _measure(part: str, tree: Path, folder: Path, options: Sequence[str], figures: Figures) -> None:
    """Run one round of one part for this tree, in a separate process."""
    started = processor_seconds()
    subprocess.run(
        [sys.executable, "-m", "benchmarks", "--folder", folder, "--rounds", "1", "--only", part, *options],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(tree / "src"), str(ROOT / "tests")))},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    figures.add(f"all of {part}, processor seconds", processor_seconds() - started)
    for name, numbers in json.loads((folder / "figures.json").read_text()).items():
        if not name.startswith(_NOT_COMPARED):
            for number in numbers:
                figures.add(name, number)


def _table(here: Figures, there: Figures, name: str, rounds: int) -> Iterator[str]:
    yield f"This working tree against {name}: {rounds} interleaved rounds, and the ratio within each."
    yield ""
    yield f"| Figure | here | {name} | here against {name} | (least to most) |"
    yield "| --- | --- | --- | --- | --- |"
    for figure in here.as_lists():
        if figure in there and (ratios := here.ratios(figure, there, figure)):
            yield (
                f"| {figure} | {here.median(figure):,.2f} | {there.median(figure):,.2f} | {median(ratios):.2f}x "
                f"| {min(ratios):.2f} to {max(ratios):.2f} |"
            )


@contextmanager
def _worktree(commit: str, path: Path) -> Iterator[Path]:
    _git("worktree", "prune")
    _git("worktree", "add", "--detach", "--force", str(path), commit)
    try:
        yield path
    finally:
        _git("worktree", "remove", "--force", str(path))


def _git(*command: str) -> str:
    done = subprocess.run(["git", *command], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S607
    return done.stdout.strip()
