"""Find the upload job that a command means: by its id, by the beginning of its id, or as ``last``."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from openprofiles.cli.exit_statuses import CommandFault
from openprofiles.cli.terminal_text import shown
from openprofiles.ids import is_id

if TYPE_CHECKING:
    from openprofiles.cli.place import Place

LAST = "last"
# The end of the name of a dry run's job. It has loaded nothing, so it is not the last job that people mean.
DRY_RUN_MARK = " (dry run)"

_BEGINNING = re.compile(r"[0-9a-fA-F]{1,31}")
_JOBS_NAMED = 10


def find_job_id(place: Place, domain: str, given: str) -> str:
    """Find the id of the job that is meant.

    Raises:
        CommandFault: there is none, or several ids begin so; the message lists these.
    """
    if is_id(given):
        return given
    to_list = f"List the jobs with: openprofiles jobs list --domain {domain}"
    if given == LAST:
        loads = (
            one
            for one in place.own_items("ListProgress", DomainName=domain)
            if not one["DisplayName"].endswith(DRY_RUN_MARK)
        )
        newest = next(loads, None)
        if newest is None:
            raise CommandFault(f"The domain {domain} has no upload job.")
        return str(newest["JobId"])
    if not _BEGINNING.fullmatch(given):
        raise CommandFault(f"{given!r} is not a valid upload job id. Give the id, its first digits, or last. {to_list}")
    matches = (
        one for one in place.own_items("ListProgress", DomainName=domain) if one["JobId"].startswith(given.lower())
    )
    found = list(islice(matches, _JOBS_NAMED + 1))
    if not found:
        raise CommandFault(f"No upload job of the domain {domain} has an id that begins with {given}. {to_list}")
    if len(found) > 1:
        lines = "".join(f"\n  {one['JobId']}  {shown(one['DisplayName'])}" for one in found[:_JOBS_NAMED])
        rest = f"\n  and more. {to_list}" if len(found) > _JOBS_NAMED else ""
        raise CommandFault(f"Several upload jobs have an id that begins with {given}. Give more digits:{lines}{rest}")
    return str(found[0]["JobId"])
