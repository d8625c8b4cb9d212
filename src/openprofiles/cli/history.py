"""``openprofiles history PROFILE``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from openprofiles.cli.find_profile import find_profile_id
from openprofiles.cli.options import domain_command, print_json, print_table
from openprofiles.cli.text_table import Column
from openprofiles.cli.words import utc_text
from openprofiles.objects.standard_objects import PROFILE
from openprofiles.store.change_actions import KEY_ACTIONS, action_words

if TYPE_CHECKING:
    from openprofiles.cli.place import Place

_MOST_CHANGES = 100


@click.command()
@click.argument("profile", metavar="PROFILE")
@domain_command("Domain of the profile.", "master_key")
@click.option(
    "--limit",
    type=click.IntRange(1, _MOST_CHANGES),
    default=20,
    show_default=True,
    help="Number of changes to print, the newest first.",
)
def history(place: Place, domain: str, output: str, profile: str, limit: int) -> None:
    """Print the changes of a profile, newest first.

    These are calls, edits in the console, objects, imports and undos.

    PROFILE is its id, or an email address, phone number, account number or full name of it.

    Times are in UTC. The fields that a change has changed are known for as long as the values that it replaced are
    kept (--undo-days of the server, or --history-content-days).

    \b
    Examples:
      openprofiles history ada@example.com --domain demo
      openprofiles history 019e7044887b7ae3847600000000009a --domain demo --output json
    """
    of_profile = {"DomainName": domain, "ProfileId": find_profile_id(place, domain, profile)}
    # With the one before the last that is printed, which says what that has changed.
    at_once = min(limit + 1, _MOST_CHANGES)
    found = place.call_items("ListProfileHistoryRecords", "ProfileHistoryRecords", **of_profile, MaxResults=at_once)
    records = list(islice(found, limit + 1))
    contents = [_read_content(place, of_profile, record) for record in records]
    if output == "json":
        shown = zip(records[:limit], contents, strict=False)
        print_json(
            [
                {
                    "id": record["Id"],
                    "changed_at": record["CreatedAt"].isoformat(),
                    "action": record["ActionType"],
                    "object_type": _object_type_of(record),
                    "performed_by": record["PerformedBy"],
                    "content": content,
                }
                for record, content in shown
            ]
        )
        return
    rows = [
        (
            utc_text(record["CreatedAt"]),
            action_words(record["ActionType"], _object_type_of(record)),
            _performer(record["PerformedBy"]),
            _describe(record, contents, position),
        )
        for position, record in enumerate(records[:limit])
    ]
    columns = (Column("TIME"), Column("CHANGE"), Column("BY"), Column("FIELDS", shrinks_to=20))
    print_table(columns, rows)
    if len(records) > limit:
        click.echo(f"There are older changes. Print more with --limit, up to {_MOST_CHANGES}.", err=True)


def _read_content(place: Place, of_profile: Mapping[str, str], record: Mapping[str, Any]) -> dict[str, Any] | None:
    """Read what came of a change; None if it is no longer known."""
    found = place.call("GetProfileHistoryRecord", **of_profile, Id=record["Id"])
    return json.loads(found["Content"]) if "Content" in found else None


def _object_type_of(record: Mapping[str, Any]) -> str | None:
    """Return the type of the object that made a change; None if none did."""
    return None if record["ObjectTypeName"] == PROFILE else str(record["ObjectTypeName"])


def _performer(arn: str) -> str:
    """Return the credential, the import or the undo that an ARN stands for."""
    _, _, resource = arn.rpartition(":")
    kind, _, name = resource.partition("/")
    if kind == "user":
        return name
    _, is_job, job_id = resource.partition("/upload-jobs/")
    if not is_job:
        return resource
    return f"undo of import {job_id.removesuffix('/undo')}" if job_id.endswith("/undo") else f"import {job_id}"


def _describe(record: Mapping[str, Any], contents: Sequence[Mapping[str, Any] | None], position: int) -> str:
    """List the fields that a change has changed, or the key; empty if that is not known."""
    content = contents[position]
    if content is None:
        return ""
    if record["ActionType"] in KEY_ACTIONS:
        return f"{content['KeyName']} {', '.join(content['Values'])}"
    after = _flat(content)
    if record["ActionType"] == "CREATED":
        return ", ".join(after)
    # A change of keys leaves the profile as it was.
    older = (one for one in contents[position + 1 :] if one is None or "KeyName" not in one)
    found = next(older, None)
    if found is None:
        return ""
    before = _flat(found)
    changed = [name for name in dict.fromkeys((*after, *before)) if after.get(name) != before.get(name)]
    return ", ".join(changed) or "none"


def _flat(profile: Mapping[str, Any]) -> dict[str, Any]:
    """Map the fields of a profile to their values, without its id."""
    flat: dict[str, Any] = {}
    for name, value in profile.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": one for inner, one in value.items()}
        elif name != "ProfileId":
            flat[name] = value
    return flat
