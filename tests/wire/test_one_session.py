"""What is shown of a job is read in one transaction, so that its parts agree."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import datetime

import pytest
import requests

import openprofiles.profiles.session
import openprofiles.server.services
from openprofiles.profiles.session import Reading, reading
from openprofiles.store import upload_jobs
from openprofiles.store.connections import Store
from openprofiles.store.upload_job_states import UploadJobStatus
from wire.test_console_workbooks import session
from wire.test_upload_jobs import Service, running_service

__all__ = ["session"]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("session") / "data") as running:
        yield running


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the names of the domains for which a session is opened to read."""
    names: list[str] = []

    def collecting(store: Store, domain_name: str, now: datetime) -> AbstractContextManager[Reading]:
        names.append(domain_name)
        return reading(store, domain_name, now)

    monkeypatch.setattr(openprofiles.server.services, "reading", collecting)
    monkeypatch.setattr(openprofiles.profiles.session, "reading", collecting)
    return names


@pytest.fixture(scope="module")
def job_id(service: Service) -> str:
    """Make a job that has ended, with failed rows and repeated ones, and that can be undone."""
    upload = service.upload()
    upload.put()
    service.client.start_upload_job(DomainName="shop", JobId=upload.job_id)
    counts = {"created_count": 2, "failed_count": 1, "repeated_count": 1}
    service.end(upload.job_id, UploadJobStatus.PARTIALLY_SUCCEEDED, **counts)
    with service.services.store.write() as connection:
        job = upload_jobs.find_job_by_id(connection, upload.job_id)
        assert job is not None
        faults = [["MISSING_UNIQUE_KEY", "Email", 1, 1]]
        upload_jobs.update_job(connection, job, fault_counts=faults, file_header=["Email"], undo_days=1)
    return upload.job_id


@pytest.mark.parametrize(
    "path", ["", "/jobs", "/jobs/{job_id}", "/jobs/{job_id}/state", "/jobs/{job_id}/undo", "/jobs/{job_id}/profiles"]
)
def test_a_page_of_a_domain_or_a_job_is_read_in_one_session(
    service: Service, session: requests.Session, job_id: str, opened: list[str], path: str
) -> None:
    opened.clear()

    page = session.get(f"{service.address}/console/domains/shop{path.format(job_id=job_id)}", timeout=20)

    assert page.status_code == 200, page.text
    assert opened == ["shop"]


@pytest.mark.parametrize("path", ["failed-rows", "progress", "repeated-rows", "options"])
def test_a_document_of_a_job_is_read_in_one_session(
    service: Service, job_id: str, opened: list[str], path: str
) -> None:
    answer = service.get(f"/openprofiles/v1/domains/shop/upload-jobs/{job_id}/{path}", service.credentials("*"))

    assert answer.status_code == 200, answer.text
    assert opened == ["shop"]
