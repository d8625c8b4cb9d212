"""What the log of changes must be, given the profiles that are stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import select

from openprofiles.store import tables
from openprofiles.store.change_actions import ChangeAction
from openprofiles.store.row_number_lists import unpack_row_numbers

if TYPE_CHECKING:
    from load.loading import Shop


@dataclass
class _Replayed:
    """A profile as the log tells it.

    Attributes:
        before_jobs: the revision that it had before each job changed it.
    """

    revision: int
    before_jobs: dict[int, int] = field(default_factory=dict)


def assert_log_is_right(shop: Shop) -> None:
    """Check that the log has every change of the domain, in order, and gives each profile the revision that it has."""
    domain_id = shop.domain.domain_id
    change, job, profile, domain = tables.profile_change, tables.job, tables.profile, tables.domain
    with shop.store.read() as connection:
        changes = connection.execute(select(change).where(change.c.domain_id == domain_id).order_by(change.c.number))
        rows = changes.mappings().all()
        jobs_read = connection.execute(select(job.c.job_number, job.c.subject, job.c.change_count)).all()
        of_domain = select(profile.c.pid, profile.c.revision).where(profile.c.domain_id == domain_id)
        stored = {row.pid: row.revision for row in connection.execute(of_domain)}
        number = connection.execute(select(domain.c.change_number).where(domain.c.domain_id == domain_id)).scalar_one()
    subjects = {row.job_number: row.subject for row in jobs_read}
    assert [row["number"] for row in rows] == list(range(1, number + 1))
    made: dict[int, _Replayed] = {}
    for row in rows:
        assert (row["actor"] is None) != (row["job_number"] is None)
        pids = unpack_row_numbers(row["first_pid"], row["last_pid"], row["pids"])
        assert len(pids) == row["profile_count"] == len(set(pids))
        for pid in pids:
            _apply(made, pid, ChangeAction(row["action"]), row["job_number"], subjects.get(row["job_number"]))
    assert {pid: one.revision for pid, one in made.items()} == stored
    of_this_domain = {row["job_number"] for row in rows}
    for one in (row for row in jobs_read if row.job_number in of_this_domain):
        assert one.change_count == sum(row["job_number"] == one.job_number for row in rows)


def _apply(made: dict[int, _Replayed], pid: int, action: ChangeAction, job: int | None, undone: int | None) -> None:
    if action is ChangeAction.CREATED:
        assert pid not in made
        made[pid] = _Replayed(1)
    elif action in (ChangeAction.DELETED, ChangeAction.EXPIRED):
        del made[pid]
    elif undone is not None:
        made[pid].revision = made[pid].before_jobs[undone]
    else:
        if job is not None:
            made[pid].before_jobs.setdefault(job, made[pid].revision)
        made[pid].revision += 1
