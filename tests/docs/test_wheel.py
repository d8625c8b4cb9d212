"""What ``make wheel`` makes: the wheel has the whole package, and the unit starts a command that there is."""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from docs.test_deploy import commands, variables_of
from docs.test_pages import PAGES, ROOT, load_script

UNIT = ROOT / "deploy" / "openprofiles.service"


def test_the_wheel_has_every_file_of_the_package_and_no_other(tmp_path: Path) -> None:
    wheel = load_script("make_wheel").make_wheel(tmp_path / "dist")

    package = ROOT / "src" / "openprofiles"
    files = {
        path.relative_to(package.parent).as_posix()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert packed == files
    assert {path.name for path in wheel.parent.iterdir()} == {wheel.name, "requirements.lock", UNIT.name}


def test_the_pages_name_the_wheel_of_this_version() -> None:
    named = {name for page in PAGES for name in re.findall(r"openprofiles-[0-9][^/ ]*\.whl", page.read_text("utf-8"))}

    assert named == {f"openprofiles-{version('openprofiles')}-py3-none-any.whl"}


def test_the_unit_starts_a_command_of_the_program_with_variables_that_it_reads() -> None:
    text = UNIT.read_text(encoding="utf-8")
    match = re.search(r"^ExecStart=/opt/openprofiles/bin/openprofiles (\w+)$", text, re.MULTILINE)
    assert match is not None

    assert set(re.findall(r"OPENPROFILES_\w+", text)) <= variables_of(commands()[match[1]])


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_commands_run_by_hand_have_the_settings_of_the_unit(tmp_path: Path, shell: str) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^set -a; \. \S+; set \+a$", readme, re.MULTILINE)
    (settings,) = re.findall(r"^EnvironmentFile=-(\S+)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    assert settings in line
    value = "postgresql://u:a$b@host/db?x=1&application_name=a b"
    file = tmp_path / "openprofiles.env"
    file.write_text(f"OPENPROFILES_STORE='{value}'\n")

    answer = subprocess.run(
        [shell, "-c", f"{line.replace(settings, str(file))}\nprintenv OPENPROFILES_STORE"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip

    assert answer.stdout == f"{value}\n"


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not here")
    # The program is not installed here, and systemd looks for it.
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text(encoding="utf-8").replace("/opt/openprofiles/bin/openprofiles", "/bin/true"))

    answer = subprocess.run([analyze, "verify", unit], capture_output=True, text=True, timeout=60)

    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")
