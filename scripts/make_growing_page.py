"""Write the parts of docs/growing.md that follow from what each table says of its rows.

python scripts/make_growing_page.py
"""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy import Table

from openprofiles.store.owned_rows import Owner, owned_rows
from openprofiles.store.tables import metadata

PAGE = Path(__file__).parents[1] / "docs" / "growing.md"


def make_growing_page(page: str) -> str:
    """Return the page with its parts made again."""
    page = _replace(page, "tables", _table_of_tables())
    return _replace(page, "statements", _statements())


def _replace(page: str, name: str, text: str) -> str:
    made, count = re.subn(
        rf"(<!-- {name}: .*-->\n\n).*?(\n\n<!-- end of {name} -->)",
        lambda found: found[1] + text + found[2],
        page,
        flags=re.DOTALL,
    )
    if count != 1:
        raise SystemExit(f"{PAGE} has {count} parts called {name}")
    return made


def _sorted_tables() -> list[Table]:
    """List the tables: distributed ones first, those of profiles before those of jobs."""
    order = (Owner.DOMAIN, Owner.PROFILE, Owner.JOB, Owner.UPLOAD_JOB, Owner.STORE)
    return sorted(
        metadata.tables.values(),
        key=lambda table: (not owned_rows(table).is_distributed, order.index(owned_rows(table).owner)),
    )


def _table_of_tables() -> str:
    lines = ["| Table | Distributed by | Rows |", "| --- | --- | --- |"]
    for table in _sorted_tables():
        rows = owned_rows(table)
        place = f"`{rows.owner.value}`" if rows.is_distributed else "a full copy on every host"
        about = rows.about if rows.kept is None else f"{rows.about}, {rows.kept.value}"
        lines.append(f"| `{table.name}` | {place} | {about} |")
    return "\n".join(lines)


def _statements() -> str:
    copied = [table for table in _sorted_tables() if not owned_rows(table).is_distributed]
    lines = [
        "```sql",
        "alter table profile drop constraint profile_pkey, add primary key (domain_id, pid);",
        *(f"select create_reference_table('{table.name}');" for table in copied),
    ]
    first_of: dict[Owner, str] = {}
    for table in _sorted_tables():
        rows = owned_rows(table)
        if rows.is_distributed:
            first = first_of.setdefault(rows.owner, table.name)
            together = "" if first == table.name else f", colocate_with => '{first}'"
            lines.append(f"select create_distributed_table('{table.name}', '{rows.owner.value}'{together});")
    return "\n".join([*lines, "```"])


if __name__ == "__main__":
    PAGE.write_text(make_growing_page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"wrote {PAGE}")
