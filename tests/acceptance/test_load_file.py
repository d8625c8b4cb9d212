"""``Client.load_file`` on a real server. tests/docs/test_python_page.py runs its page."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from acceptance.running import RunningServer, running_server
from openprofiles.client import Client, FailureReason, JobFailed, LoadError, LoadProgress

pytestmark = pytest.mark.usefixtures("quick_servers")

ROWS = "Email;First name;Tier;Notes\nada@x.example;Ada;gold;a\n;Nobody;;b\nnot an address;Eve;;c\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("load-file") / "data", "--workers", "1") as running:
        yield running


@pytest.fixture
def client(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    made = Client(session(*server.admin()), server.url)
    yield made
    made.close()


@pytest.fixture
def leads(tmp_path: Path) -> Path:
    path = tmp_path / "leads.csv"
    path.write_text(ROWS)
    return path


def session(access_key_id: str, secret: str) -> boto3.Session:
    return boto3.Session(access_key_id, secret, region_name="us-east-1")


def domains_of(server: RunningServer) -> set[str]:
    return {item["DomainName"] for item in server.client().list_domains()["Items"]}


def test_a_file_is_loaded_with_one_call_that_returns_counts_and_failed_rows(
    client: Client, server: RunningServer, leads: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    seen: list[LoadProgress] = []

    result = client.load_file(
        leads,
        domain="new",
        unique_key="Email",
        map={"Tier": "Attributes.level", "Notes": ""},
        data_expiry=10,
        progress=seen.append,
    )

    assert (result.domain, result.domain_created, result.status) == ("new", True, "PARTIALLY_SUCCEEDED")
    assert (result.created, result.updated, result.unchanged, result.failed, result.not_processed) == (1, 0, 0, 2, 0)
    assert result.values_checked
    assert result.mapping == {"Email": "EmailAddress", "First name": "FirstName", "Tier": "Attributes.level"}
    assert result.failure_reasons == (
        FailureReason(code="MISSING_UNIQUE_KEY", column="Email", count=1),
        FailureReason(code="NOT_AN_EMAIL_ADDRESS", column="Email", count=1),
    )
    assert [(row["Line"], row["Cells"][1]) for row in result.failed_rows] == [(3, "Nobody"), (4, "Eve")]
    assert seen[0] == LoadProgress(step="sending", done=len(ROWS), total=len(ROWS))
    (profile,) = server.client().search_profiles(DomainName="new", KeyName="_email", Values=["ada@x.example"])["Items"]
    assert profile["Attributes"] == {"level": "gold"}
    job = server.client().get_upload_job(DomainName="new", JobId=result.job_id)
    assert (job["DisplayName"], job["DataExpiry"]) == ("leads.csv", 10)
    assert capfd.readouterr() == ("", "")


def test_a_bar_is_shown_where_standard_error_is_a_terminal(
    client: Client, leads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)

    client.load_file(leads, domain="bar", unique_key="Email")

    assert "━" in terminal.getvalue()


def test_a_saved_mapping_is_used_and_the_result_names_the_columns_it_does_not_know(
    client: Client, leads: Path, server: RunningServer
) -> None:
    server.client().create_domain(DomainName="saved", DefaultExpirationDays=30)
    fields = {"mail": {"Source": "_source.Email", "Target": "_profile.EmailAddress"}}
    client.put_mapping("saved", "daily", fields=fields, unique_key="mail", columns=["Email", "Tier", "Notes", "Age"])

    result = client.load_file(leads, domain="saved", mapping="daily", map={"Tier": "Attributes.tier"}, progress=False)

    assert not result.domain_created
    assert result.mapping == {"Email": "EmailAddress", "Tier": "Attributes.tier"}
    assert (result.new_columns, result.missing_columns) == (("First name",), ("Age",))


def test_only_the_named_columns_are_loaded_and_the_result_has_the_notices(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "short.csv"
    path.write_text("Email,First name,Tier,Notes\nada@x.example,Ada,gold,a\neve@x.example,Eve,gold\n")

    result = client.load_file(path, domain="some", unique_key="Email", only=["first name"], progress=False)

    assert result.mapping == {"Email": "EmailAddress", "First name": "FirstName"}
    (notice,) = result.notices
    assert notice.startswith("1 row with fewer cells than the header is loaded")


def test_what_cannot_be_loaded_is_refused_before_anything_is_made(
    client: Client, leads: Path, server: RunningServer
) -> None:
    def message_of(path: Path = leads, **more: Any) -> str:
        with pytest.raises(LoadError) as caught:
            client.load_file(path, domain="refused", **more)
        assert not isinstance(caught.value, JobFailed)
        return str(caught.value)

    no_key = message_of(Path(__file__).parents[2] / "examples" / "customers.csv")
    no_file = message_of(leads.with_name("absent.csv"), unique_key="Email")
    no_column = message_of(unique_key="Login")
    no_target = message_of(unique_key="Email", map={"Tier": "Nonsense"})
    no_option = message_of(unique_key="Email", options={"Mode": "x"})
    only_mapping = message_of(mapping="daily", only=["Email"])
    only_nothing = message_of(unique_key="Email", only=["Login"])

    assert no_key.startswith("Neither unique_key nor mapping was given. Give unique_key,")
    assert "'Customer ID' seems to be one (" in no_key
    assert "absent.csv cannot be read" in no_file
    assert "The unique key 'Login'" in no_column
    assert "Tier" in no_target
    assert "Mode" in no_option
    assert only_mapping.startswith("only and mapping cannot be combined")
    assert "Login" in only_nothing
    assert "refused" not in domains_of(server)


def test_a_refusal_of_the_server_and_a_server_that_is_not_there_are_load_errors(
    server: RunningServer, leads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    # The last port is as good as never in use.
    absent = Client(session(*server.admin()), "http://127.0.0.1:65535")
    stranger = Client(session("OPAAAAAAAAAAAAAAAAAA", "no secret"), server.url)

    with pytest.raises(LoadError, match="does not know the access key") as refused:
        stranger.load_file(leads, domain="demo", unique_key="Email")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(LoadError, match="65535"):
        absent.load_file(leads, domain="demo", unique_key="Email")

    assert isinstance(refused.value.__cause__, ClientError)


def test_a_job_that_fails_raises_with_the_result(client: Client, leads: Path) -> None:
    with pytest.raises(JobFailed, match="2") as caught:
        client.load_file(leads, domain="limit", unique_key="Email", options={"FailureLimit": {"Records": 1}})

    assert caught.value.result.status == "FAILED"
    assert (caught.value.result.created, len(list(caught.value.result.failed_rows))) == (0, 2)


def test_a_column_of_other_values_fails_with_the_ways_to_load_the_file(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "masked.csv"
    path.write_text("Id,Email\nC1,hidden\nC2,hidden\n")

    with pytest.raises(JobFailed, match=r"leave it out with map=\{'Email': ''\}, or check no values") as caught:
        client.load_file(path, domain="masked", unique_key="Id")

    (reason,) = caught.value.result.failure_reasons
    assert (reason.code, reason.column, reason.count) == ("NOT_AN_EMAIL_ADDRESS", "Email", 2)


def test_an_exception_of_the_callers_function_stops_the_job(client: Client, leads: Path, server: RunningServer) -> None:
    def refuse(progress: LoadProgress) -> None:
        raise ValueError(progress.step)

    with pytest.raises(ValueError, match="sending"):
        client.load_file(leads, domain="stopped", unique_key="Email", progress=refuse)

    (job,) = server.client().list_upload_jobs(DomainName="stopped")["Items"]
    assert job["Status"] == "STOPPED"


def test_a_domain_is_not_created_for_phone_numbers_of_another_country(
    client: Client, server: RunningServer, tmp_path: Path
) -> None:
    rows = "".join(f"a{number}@x.de;0211 98765{number};40213;Neuss\n" for number in range(5))
    path = tmp_path / "kunden.csv"
    path.write_text(f"E-Mail;Telefon;PLZ;Ort\n{rows}")

    with pytest.raises(LoadError, match=r"5 in Germany \(DE\)\..* Create the domain first: in the console"):
        client.load_file(path, domain="abroad", unique_key="E-Mail")

    assert "abroad" not in domains_of(server)
    server.client().create_domain(DomainName="abroad", DefaultExpirationDays=30)
    assert client.load_file(path, domain="abroad", unique_key="E-Mail").created == 5
