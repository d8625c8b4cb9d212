"""The requests of an AWS client and the answers of the server, recorded once and compared in each run.

``aws_answers.json`` was recorded by commit 46f3538, the last before openprofiles got paths, options and file forms
that AWS has not. Everything here goes through AWS's operations, the PUT of a file, and ``openprofiles serve``, so that
it runs with the code of that commit too. Beside the promise that what AWS's clients see has not changed stands one
exception: files that AWS would not take (delimiters, encodings and line ends of other kinds, packed files) are loaded
unless the server is strict, so only the strict run has them. Six answers were recorded anew when a key began to count
only in its own field: those of the loads "values set by hand" and "keys in two fields", and of the lists after them.
Ten were recorded anew when account numbers began to differ by case, attributes no longer by blanks around them, and
rows of delimiters were skipped. Two messages were changed when layouts got tags. The strict answers are those of that
commit.

To record anew, after a call was added: check that commit out, into another folder, and

    PYTHONPATH=<that folder>/src:tests python -m acceptance.aws_scenario --record tests/acceptance/aws_answers.json
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from acceptance.answer_recorder import Answer, Recorder
from acceptance.aws_scenario_profiles import (
    delete_domains,
    run_domains,
    run_malformed_requests,
    run_profiles,
    run_signatures,
)
from acceptance.aws_scenario_uploads import (
    end_waiting_jobs,
    run_ended_jobs,
    run_expired_url,
    run_loads,
    run_mappings,
    run_strict_loads,
    run_waiting_jobs,
)
from acceptance.running import RunningServer, run_command, running_server

MODES = ("generous", "strict")
# Long enough for a PUT that follows, short enough to be waited for.
_SHORT_LIFETIME_SECONDS = 5
_LIFETIME_SECONDS = 900


def run_scenario(mode: str, data_folder: Path) -> list[Answer]:
    """Return all answers of a run on a new data folder.

    Args:
        mode: of ``--compat``.
    """
    recorder = Recorder()
    lifetime = ("--upload-url-lifetime", str(_SHORT_LIFETIME_SECONDS))
    if mode == "generous":
        with running_server(data_folder, "--workers", "0", *lifetime) as server:
            _connect(recorder, server, _SHORT_LIFETIME_SECONDS)
            run_domains(recorder)
            expiring = run_waiting_jobs(recorder)
            run_mappings(recorder)
            run_profiles(recorder)
            run_malformed_requests(recorder)
            run_signatures(recorder, _limited_keys(data_folder))
            run_expired_url(recorder, expiring)
    with running_server(data_folder, "--workers", "1", "--compat", mode) as server:
        _connect(recorder, server, _LIFETIME_SECONDS)
        if mode == "generous":
            end_waiting_jobs(recorder)
            run_loads(recorder)
            run_ended_jobs(recorder)
            delete_domains(recorder)
        else:
            run_strict_loads(recorder)
    return recorder.answers


def _connect(recorder: Recorder, server: RunningServer, url_lifetime_seconds: int) -> None:
    recorder.connect(server.url, server.admin(), url_lifetime_seconds=url_lifetime_seconds)


def _limited_keys(data_folder: Path) -> tuple[str, str]:
    """Create a key that can read only the domain shop."""
    made = run_command(
        "credentials", "create", "--data", data_folder, "--name", "reader", "--output", "json",
        "--action", "profile:Get*", "--action", "profile:List*", "--domain", "shop",
    )  # fmt: skip
    document = json.loads(made.stdout)
    return document["access_key_id"], document["secret_access_key"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", type=Path, required=True, metavar="FILE", help="the file to write")
    record_path: Path = parser.parse_args().record
    answers = {}
    for mode in MODES:
        with tempfile.TemporaryDirectory() as folder:
            answers[mode] = run_scenario(mode, Path(folder) / "data")
    record_path.write_text(json.dumps(answers, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
