"""The pages of the manual agree with the program, and with each other."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import by_hand
from openprofiles.clock import utc_now
from openprofiles.facts.standard_profile import (
    FIELD_BY_PATH,
    MAX_ADDITIONAL_INFORMATION_LENGTH,
    MAX_VALUE_LENGTH,
    TWINS,
)
from openprofiles.profiles.domains import create_domain
from openprofiles.settings import Settings
from openprofiles.store.open import open_store
from openprofiles.uploads.failures.faults import CODES

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def load_script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_the_command_line_is_what_help_prints() -> None:
    made = load_script("make_cli_page").make_cli_page()

    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == made, "run: make example"


def test_the_page_on_growing_has_what_the_tables_say_of_their_rows() -> None:
    page = (ROOT / "docs" / "growing.md").read_text(encoding="utf-8")

    assert load_script("make_growing_page").make_growing_page(page) == page, "run: make example"


def test_the_example_file_is_what_its_script_makes() -> None:
    made = load_script("make_example").make_example()

    assert (ROOT / "examples" / "customers.csv").read_bytes() == made, "run: make example"


def test_the_page_on_files_has_every_code_of_a_failed_row_and_no_other() -> None:
    page = (ROOT / "docs" / "csv-files.md").read_text(encoding="utf-8")

    assert re.findall(r"^\| `([A-Z_0-9]+)` \|", page, re.MULTILINE) == list(CODES)


def test_the_page_on_files_lists_the_fields_of_the_standard_profile_and_no_other() -> None:
    page = (ROOT / "docs" / "csv-files.md").read_text(encoding="utf-8")
    table = page.partition("### Targets")[2]

    listed = [
        name for cell in re.findall(r"^\| (`[^|]*) \|", table, re.MULTILINE) for name in re.findall(r"`([^`]+)`", cell)
    ]

    assert sorted(listed) == sorted([*FIELD_BY_PATH, *TWINS])
    assert f"{MAX_ADDITIONAL_INFORMATION_LENGTH} characters" in table
    assert f"{MAX_VALUE_LENGTH} characters" in table


def test_the_backup_of_the_manual_is_a_store_that_works(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    make, restore = re.findall(r"^openprofiles (?:backup|restore) /backup.*$", page, re.MULTILINE)
    (keep_key,) = re.findall(r"^cp -n \S*master\.key /safe\S*$", page, re.MULTILINE)[:1]
    for folder in ("backup", "safe", "var/lib"):
        (tmp_path / folder).mkdir(parents=True)
    store = open_store(Settings(data_folder=tmp_path / "var/lib/openprofiles"))
    domain = create_domain(
        store, "demo", default_expiration_days=30, config={}, tags={}, phone_region="US", now=utc_now()
    )

    def run(line: str) -> None:
        words = shlex.split(re.sub(r"(?<= )/(?=backup|safe|var)", f"{tmp_path}/", line))
        if words[0] == "openprofiles":
            words[:1] = [sys.executable, "-m", "openprofiles"]
        subprocess.run(words, check=True)

    # While the store is open, and what was written last is in its write-ahead log.
    run(make)
    run(keep_key)
    store.close()
    (made,) = (tmp_path / "backup" / "openprofiles").glob("openprofiles-*")
    run(restore.replace("openprofiles-20260131T020000Z", made.name))

    restored = open_store(Settings(data_folder=tmp_path / "var/lib/openprofiles-restored"))
    assert by_hand.get_domain(restored, "demo") == domain
    restored.close()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_links_of_a_page_lead_to_files_that_are_there(page: Path) -> None:
    links = [link.partition("#")[0] for link in _LINK.findall(page.read_text(encoding="utf-8"))]

    missing = [link for link in links if link and "://" not in link and not (page.parent / link).exists()]

    assert missing == []


def test_no_page_gives_profile_get_to_a_key_that_only_reads() -> None:
    # It takes in GetUploadJobPath, with which the file of a waiting job can be replaced.
    assert [page.name for page in PAGES if "--action 'profile:Get*'" in page.read_text(encoding="utf-8")] == []
