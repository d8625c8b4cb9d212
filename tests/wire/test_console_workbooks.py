"""Workbooks that the console's page sends: from whom they are taken, and how large and how many."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator

import pytest
import requests

from openprofiles.server.console import upload
from openprofiles.worker.table_process import convert_in_process
from wire.test_upload_jobs import MAX_UPLOAD_SIZE_BYTES, Service, running_service
from workbooks import sheet_xml, text_rows, workbook

BOOK = workbook({"Sheet1": sheet_xml(text_rows([["Email"], ["a@example.com"]]))})


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("workbooks") / "data") as running:
        yield running


@pytest.fixture
def session(service: Service) -> Iterator[requests.Session]:
    """Sign in with all permissions; the session sends the token of its page."""
    key = service.credentials("*")
    with requests.Session() as session:
        session.trust_env = False
        form = {"access_key_id": key.access_key, "secret_access_key": key.secret_key}
        session.post(f"{service.address}/console/sign-in", data=form, timeout=20).raise_for_status()
        page = session.get(f"{service.address}/console/domains/shop/upload", timeout=20).text
        token = re.search('name="csrf-token" content="([^"]+)"', page)
        assert token is not None
        session.headers.update({"X-CSRF-Token": token[1], "Accept": "application/json"})
        yield session


def send(service: Service, session: requests.Session, content: bytes, domain: str = "shop") -> requests.Response:
    return session.post(f"{service.address}/console/domains/{domain}/upload/workbook", data=content, timeout=60)


def test_a_workbook_comes_back_as_csv_after_a_document_about_it(service: Service, session: requests.Session) -> None:
    answer = send(service, session, BOOK)

    document_bytes = int(answer.headers["X-Document-Bytes"])
    assert answer.status_code == 200
    assert b'"Sheet": "Sheet1"' in answer.content[:document_bytes]
    assert answer.content[document_bytes:] == b"Email\na@example.com\n"


def test_a_workbook_is_taken_only_from_a_page_of_somebody_who_may_import(
    service: Service, session: requests.Session
) -> None:
    assert send(service, session, BOOK, "other").status_code == 404
    session.headers["X-CSRF-Token"] = "forged"
    assert send(service, session, BOOK).status_code == 403
    session.cookies.clear()
    assert send(service, session, BOOK).status_code == 401


def test_a_workbook_that_is_too_large_is_refused(service: Service, session: requests.Session) -> None:
    answer = send(service, session, BOOK + bytes(MAX_UPLOAD_SIZE_BYTES))

    assert answer.status_code == 413
    assert answer.json() == {"message": f"The file is larger than {MAX_UPLOAD_SIZE_BYTES:,} bytes."}


def test_no_more_than_two_workbooks_are_taken_at_once(
    service: Service, session: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_are_read, may_end = threading.Barrier(3), threading.Event()

    def convert_later(*arguments: object, **named: object) -> object:
        both_are_read.wait(30)
        may_end.wait(30)
        return convert_in_process(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(upload, "convert_in_process", convert_later)
    statuses: list[int] = []
    senders = [
        threading.Thread(target=lambda: statuses.append(send(service, session, BOOK).status_code)) for _ in range(2)
    ]
    for sender in senders:
        sender.start()
    both_are_read.wait(30)

    third = send(service, session, BOOK)

    may_end.set()
    for sender in senders:
        sender.join()
    assert third.status_code == 503
    assert third.json() == {"message": "The server is reading other workbooks. Try again in a moment."}
    assert statuses == [200, 200]
