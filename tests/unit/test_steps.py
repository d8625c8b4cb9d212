"""A job is brought to its end, wherever its loaders die: with fake steps, in milliseconds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openprofiles import job_kinds
from openprofiles.bulk.steps import GaveUp, Part, Standing, Step, Stopped, WriteEnded, run_steps
from openprofiles.uploads.loading.load import _Loading
from openprofiles.uploads.loading.undo import _Undoing

CHUNKS = 3
# Of the kind of job: read and plan are only in the scratch database, and plan is not recorded.
PREPARE, WRITE, FINISH = ("read", "plan", "report"), ("create", "update"), ("unindex", "index")
RECORDED = ("read", "report", *WRITE, *FINISH)
MOMENTS = ("before", "in", "after")


class Died(Exception):
    """The process of the loader was killed."""


@dataclass
class FakeJob:
    """The row of a job, what its chunks have written, and where its loaders are to die or to be stopped."""

    standing: Standing | None = None
    written: list[tuple[str, int]] = field(default_factory=list)
    scratch: set[str] = field(default_factory=set)
    deaths: dict[tuple[str, int], str] = field(default_factory=dict)
    stop_in: tuple[str, int] | None = None
    end_in: tuple[str, int] | None = None
    stop_requested: bool = False
    ran: list[str] = field(default_factory=list)

    @contextmanager
    def chunk(self, name: str, number: int) -> Iterator[None]:
        """A transaction, which a death rolls back unless it is after the commit."""
        moment = self.deaths.pop((name, number), None)
        if moment == "before":
            raise Died
        if self.stop_in == (name, number):
            self.stop_requested = True
        if self.stop_requested and name not in FINISH:
            raise Stopped
        before = self.standing, list(self.written)
        yield
        if moment == "in":
            self.standing, self.written = before
            raise Died
        if moment == "after":
            raise Died
        if self.end_in == (name, number):
            raise WriteEnded

    def run_chunks(self, name: str, at: Standing | None) -> None:
        self.ran.append(name)
        for number in range(at.position if at and at.phase == name else 0, CHUNKS):
            with self.chunk(name, number):
                if name in RECORDED:
                    self.standing = Standing(name, number + 1)
                if name not in ("read", "plan"):
                    self.written.append((name, number))

    def run_local(self, name: str) -> None:
        is_first = self.standing is None or self.standing.phase == "read"
        self.ran.append(name)
        for number in range(CHUNKS):
            # Once something is written, reading again records nothing.
            if is_first:
                with self.chunk(name, number):
                    if name in RECORDED:
                        self.standing = Standing(name, number + 1)
        self.scratch.add(name)

    def run_index(self, at: Standing | None) -> None:
        for name in FINISH:
            if at is None or FINISH.index(at.phase) <= FINISH.index(name):
                self.run_chunks(name, at)

    def steps(self) -> list[Step]:
        def local(name: str) -> Step:
            return Step(
                name=name,
                run=lambda _at: self.run_local(name),
                part=Part.PREPARE,
                is_done=lambda: name in self.scratch,
            )

        def recorded(name: str, part: Part) -> Step:
            return Step(name=name, run=lambda at: self.run_chunks(name, at), part=part)

        return [
            local("read"),
            local("plan"),
            recorded("report", Part.PREPARE),
            *(recorded(name, Part.WRITE) for name in WRITE),
            Step(name="index", run=self.run_index, part=Part.FINISH, phases=FINISH),
        ]

    def run(self, *, gives_up: bool = False) -> bool:
        @contextmanager
        def timed(_name: str) -> Iterator[None]:
            yield

        return run_steps(self.steps(), self.standing, timed, gives_up=gives_up, stop_requested=self.stop_requested)

    def run_to_end(self, *, loses_scratch: bool) -> bool:
        """Run loaders until one does not die."""
        while True:
            try:
                return self.run()
            except Died:
                if loses_scratch:
                    self.scratch.clear()


ALL_WRITTEN = [(name, number) for name in ("report", *WRITE, *FINISH) for number in range(CHUNKS)]
PLACES = [(name, number) for name in (*PREPARE, *WRITE, *FINISH) for number in range(CHUNKS)]


@pytest.mark.parametrize("loses_scratch", [False, True])
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("place", PLACES)
def test_a_loader_that_dies_around_any_chunk_of_any_step_is_continued(
    place: tuple[str, int], moment: str, loses_scratch: bool
) -> None:
    job = FakeJob(deaths={place: moment})

    stopped = job.run_to_end(loses_scratch=loses_scratch)

    assert (stopped, job.written, job.deaths) == (False, ALL_WRITTEN, {})


@given(deaths=st.dictionaries(st.sampled_from(PLACES), st.sampled_from(MOMENTS)), loses_scratch=st.booleans())
def test_loaders_that_die_again_and_again_write_each_chunk_once_and_in_order(
    deaths: dict[tuple[str, int], str], loses_scratch: bool
) -> None:
    job = FakeJob(deaths=dict(deaths))

    assert job.run_to_end(loses_scratch=loses_scratch) is False
    assert job.written == ALL_WRITTEN


@pytest.mark.parametrize("place", [place for place in PLACES if place[0] in PREPARE])
def test_a_stop_before_anything_is_written_ends_the_job_at_once(place: tuple[str, int]) -> None:
    job = FakeJob(stop_in=place)

    with pytest.raises(Stopped):
        job.run()

    assert {name for name, _ in job.written} <= {"report"}


@pytest.mark.parametrize("dies_in_index", [False, True])
@pytest.mark.parametrize("place", [place for place in PLACES if place[0] in WRITE])
def test_a_stop_while_it_writes_leaves_the_rest_out_and_completes_what_was_written(
    place: tuple[str, int], dies_in_index: bool
) -> None:
    job = FakeJob(stop_in=place, deaths={("index", 1): "in"} if dies_in_index else {})

    stopped = job.run_to_end(loses_scratch=True)

    before_stop = ALL_WRITTEN[: ALL_WRITTEN.index(place)]
    assert (stopped, job.written) == (True, [*before_stop, *(one for one in ALL_WRITTEN if one[0] in FINISH)])


def test_a_stop_in_the_last_steps_is_answered_but_leaves_nothing_out() -> None:
    job = FakeJob(deaths={("index", 1): "after"})
    with pytest.raises(Died):
        job.run()
    job.stop_requested = True

    assert job.run() is True
    assert job.written == ALL_WRITTEN


def test_a_job_that_may_write_no_more_for_its_own_reason_completes_what_was_written() -> None:
    job = FakeJob(end_in=("create", 1))

    assert job.run() is False
    assert job.written == [one for one in ALL_WRITTEN if one[0] in ("report", *FINISH) or one in PLACES[9:11]]


@pytest.mark.parametrize(("phase", "ran"), [(None, []), ("read", []), ("report", [])])
def test_a_job_that_gives_up_before_anything_is_written_runs_no_step(phase: str | None, ran: list[str]) -> None:
    job = FakeJob(standing=None if phase is None else Standing(phase, 1))

    with pytest.raises(GaveUp):
        job.run(gives_up=True)

    assert job.ran == ran


@pytest.mark.parametrize("phase", [*WRITE, *FINISH])
def test_a_job_that_gives_up_while_it_writes_only_completes_what_was_written(phase: str) -> None:
    job = FakeJob(standing=Standing(phase, 1))

    with pytest.raises(GaveUp):
        job.run(gives_up=True)

    assert [name for name in job.ran if name in WRITE] == []
    assert {name for name, _ in job.written} == set(FINISH[FINISH.index(phase) :] if phase in FINISH else FINISH)
    # What was only in the scratch database is made again for it.
    assert job.scratch == {"read", "plan"}


@pytest.mark.parametrize(
    ("kind", "shown"), [("load", job_kinds.UPLOAD), ("preview", job_kinds.PREVIEW), ("undo", job_kinds.UNDO)]
)
def test_the_progress_of_a_job_shows_the_phases_that_its_steps_record(kind: str, shown: job_kinds.JobKind) -> None:
    job = SimpleNamespace(phase=None, is_preview=kind == "preview")
    if kind == "undo":
        steps = _Undoing(SimpleNamespace(job=job)).steps  # type: ignore[arg-type]
    else:
        loading = object.__new__(_Loading)
        loading.job = job  # type: ignore[assignment]
        steps = loading.steps

    assert [phase for step in steps for phase in step.phases or (step.name,)] == list(shown.phases)
    assert {*shown.phases} <= {*job_kinds.PHASE_WORDS, "remove", "restore", "forget"}
