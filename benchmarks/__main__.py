"""Run the comparisons of ``make bench`` and print the tables; with ``--full``, also write them into the README."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from contextlib import ExitStack, closing
from importlib import import_module
from pathlib import Path

from benchmarks.against import compare
from benchmarks.api import ApiBenchmark
from benchmarks.busy import BusyBenchmark
from benchmarks.console import ConsoleBenchmark
from benchmarks.loads import Figures, LoadBenchmark, Sizes, first_file
from benchmarks.niceness import NicenessBenchmark
from benchmarks.postgresql import PostgresqlBenchmark
from benchmarks.report import results, write_into_readme
from benchmarks.undo import UndoBenchmark

SMALL = Sizes(rows=10_000, many_rows=50_000, notes_rows=2_000, load_rows=1_000_000)
DEFAULT = Sizes(rows=200_000, many_rows=1_000_000, notes_rows=50_000, load_rows=1_000_000)
FULL = Sizes(rows=1_000_000, many_rows=5_000_000, notes_rows=200_000, load_rows=1_000_000)

PARTS = (
    "loads",
    "undo",
    "console",
    "api",
    "busy",
    "postgresql",
    "niceness",
    "encodings",
    "small",
    "history",
    "objects",
    "segments",
)
# These modules print a table, without a server and without rounds. They are imported only when they run, since they use
# modules of openprofiles, which another commit may not have.
TABLES = ("encodings", "small", "history", "objects", "segments")
# PostgreSQL takes as long as all other parts together, and the niceness has to be chosen only once.
DEFAULT_PARTS = ("loads", "undo", "console", "api", "busy")
FULL_PARTS = (*DEFAULT_PARTS, "postgresql")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where files and stores go")
    parser.add_argument("--yardstick-python", type=Path, help="Python with pandas and sqlite-utils; none: without them")
    parser.add_argument("--rounds", type=int, help="3 unless all parts are measured in their default sizes: 2")
    parser.add_argument("--only", choices=PARTS, help="this part alone; nothing is written")
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--small", action="store_true", help="small files, to try the benchmark")
    sizes.add_argument(
        "--full", action="store_true", help="1M and 5M rows and PostgreSQL, for the README: an hour, 20 GB"
    )
    parser.add_argument("--against", metavar="COMMIT", help="compare with this commit; nothing is written")
    choices = parser.parse_args()
    folder = choices.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    parts = (choices.only,) if choices.only else FULL_PARTS if choices.full else DEFAULT_PARTS
    is_default = not (choices.only or choices.full or choices.against)
    rounds = choices.rounds or (2 if is_default else 3)
    if choices.only in TABLES:
        print(import_module(f"benchmarks.{choices.only}").measure_table())
        return
    if choices.against is not None:
        options = [f"--{size}" for size in ("small", "full") if getattr(choices, size)]
        print(compare(choices.against, folder, parts, options, rounds=rounds))
        return
    sizes_chosen = SMALL if choices.small else FULL if choices.full else DEFAULT
    text = _measure(folder, choices.yardstick_python, parts, sizes_chosen, rounds=rounds)
    print(text)
    if choices.full and not choices.only:
        write_into_readme(text)


def _measure(folder: Path, yardstick_python: Path | None, parts: tuple[str, ...], sizes: Sizes, *, rounds: int) -> str:
    figures = Figures()
    with ExitStack() as at_end:

        def measure_api() -> Callable[[], None]:
            api = ApiBenchmark(folder, first_file(folder, sizes.load_rows), figures)

            def run() -> None:
                api.measure_bare_route()
                api.round()

            return run

        def measure_postgresql() -> Callable[[], None]:
            return at_end.enter_context(closing(PostgresqlBenchmark(folder, sizes, figures))).round

        python = None if yardstick_python is None else yardstick_python.absolute()
        prepare: dict[str, Callable[[], Callable[..., None]]] = {
            "loads": lambda: LoadBenchmark(folder, python, sizes, figures).round,
            "undo": lambda: UndoBenchmark(folder, sizes, figures).round,
            "console": lambda: ConsoleBenchmark(folder, sizes, figures).round,
            "api": measure_api,
            "busy": lambda: BusyBenchmark(folder, sizes, figures).round,
            "postgresql": measure_postgresql,
            "niceness": lambda: NicenessBenchmark(folder, first_file(folder, sizes.load_rows), figures).round,
        }
        measures = {part: make() for part, make in prepare.items() if part in parts}
        for number in range(1, rounds + 1):
            print(f"round {number} of {rounds}", flush=True)
            for part, measure in measures.items():
                if part in ("loads", "busy"):
                    measure(is_first=number == 1)
                else:
                    measure()
    (folder / "figures.json").write_text(json.dumps(figures.as_lists(), indent=1))
    return results(figures, sizes, rounds=rounds)


if __name__ == "__main__":
    main()
