"""``make bench``: runs every comparison, prints the table and writes it into ``benchmarks/README.md``."""

from __future__ import annotations

import argparse
import json
from contextlib import ExitStack, closing
from pathlib import Path

from benchmarks.api import ApiBenchmark
from benchmarks.console import ConsoleBenchmark
from benchmarks.loads import Figures, LoadBenchmark, Sizes, first_file
from benchmarks.postgresql import PostgresqlBenchmark
from benchmarks.report import results, write_into_readme
from benchmarks.undo import UndoBenchmark

SMALL = Sizes(rows=10_000, many_rows=50_000, notes_rows=2_000)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where files and stores go; some 20 GB")
    parser.add_argument("--yardstick-python", type=Path, required=True, help="Python with pandas and sqlite-utils")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--only", choices=["loads", "undo", "console", "api", "postgresql"], help="this part alone; nothing is written"
    )
    parser.add_argument("--small", action="store_true", help="small files, to try the benchmark; nothing is written")
    choices = parser.parse_args()
    folder = choices.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    sizes = SMALL if choices.small else Sizes()

    figures = Figures()
    with ExitStack() as at_end:
        loads = undo = console = api = postgresql = None
        if choices.only in (None, "loads"):
            loads = LoadBenchmark(folder, choices.yardstick_python.absolute(), sizes, figures)
        if choices.only in (None, "undo"):
            undo = UndoBenchmark(folder, sizes, figures)
        if choices.only in (None, "console"):
            console = ConsoleBenchmark(folder, sizes, figures)
        if choices.only in (None, "api"):
            api = ApiBenchmark(folder, first_file(folder, sizes.rows), figures)
        if choices.only in (None, "postgresql"):
            postgresql = at_end.enter_context(closing(PostgresqlBenchmark(folder, sizes, figures)))
        for number in range(1, choices.rounds + 1):
            print(f"round {number} of {choices.rounds}", flush=True)
            if loads is not None:
                loads.round(is_first=number == 1)
            if undo is not None:
                undo.round()
            if console is not None:
                console.round()
            if api is not None:
                api.measure_bare_route()
                api.round()
            if postgresql is not None:
                postgresql.round()
    (folder / "figures.json").write_text(json.dumps(figures.as_lists(), indent=1))
    text = results(figures, rounds=choices.rounds)
    print(text)
    if not choices.only and not choices.small:
        write_into_readme(text)


if __name__ == "__main__":
    main()
