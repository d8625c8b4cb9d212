"""The requests of Terraform's AWS provider, as version 5.100.0 sends them with the provider block of the README.

They were recorded between Terraform 1.11.4 and a server. tests/acceptance/test_terraform.py runs the real one.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from wire.test_upload_jobs import Service, running_service

NEW_DOMAIN = '{"DefaultExpirationDays":366,"Tags":{"team":"crm"}}'
NEW_PROFILE = (
    '{"Address":{"Address1":"","Address2":"","Address3":"","Address4":"","City":"London","Country":"","County":"",'
    '"PostalCode":"W1","Province":"","State":""},"Attributes":{"tier":"gold"},"EmailAddress":"ada@example.com",'
    '"FirstName":"Ada"}'
)
CHANGED_PROFILE = (
    '{"Address":{"Address1":"","Address2":"","Address3":"","Address4":"","City":"Paris","Country":"","County":"",'
    '"PostalCode":"","Province":"","State":""},"FirstName":"","LastName":"L","ProfileId":"%s"}'
)
# The provider knows no account id: the block has skip_requesting_account_id.
TAGS = "/tags/arn%3Aaws%3Aprofile%3Aus-east-1%3A%3Adomains%2Fterraform"


class Provider:
    """Sends requests as they stand here, signed."""

    def __init__(self, service: Service) -> None:
        self._address = service.address
        self._credentials: Credentials = service.credentials("*")

    def send(self, method: str, target: str, body: str = "") -> requests.Response:
        url = self._address + target
        signed = AWSRequest(method, url, data=body, headers={"Content-Type": "application/json"} if body else {})
        SigV4Auth(self._credentials, "profile", "us-east-1").add_auth(signed)
        with requests.Session() as session:
            session.trust_env = False
            return session.request(method, url, data=body, headers=dict(signed.headers.items()), timeout=20)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("terraform") / "data") as running:
        yield running


@pytest.fixture
def provider(service: Service) -> Iterator[Provider]:
    sender = Provider(service)
    assert sender.send("POST", "/domains/terraform", NEW_DOMAIN).status_code == 200
    yield sender
    service.client.delete_domain(DomainName="terraform")


def test_an_empty_text_of_a_new_profile_means_that_the_member_is_absent(provider: Provider) -> None:
    made = provider.send("POST", "/domains/terraform/profiles", NEW_PROFILE)

    assert made.status_code == 200, made.text
    assert profile(provider, made.json()["ProfileId"]) == {
        "FirstName": "Ada",
        "EmailAddress": "ada@example.com",
        "Address": {"City": "London", "PostalCode": "W1"},
        "Attributes": {"tier": "gold"},
    }


def test_empty_texts_alone_make_a_profile_without_values(provider: Provider) -> None:
    body = '{"FirstName":"","Address":{"City":""},"Attributes":{"tier":""}}'

    made = provider.send("POST", "/domains/terraform/profiles", body)

    assert made.status_code == 200, made.text
    assert profile(provider, made.json()["ProfileId"]) == {}


def test_an_empty_text_of_a_change_removes_what_is_there(provider: Provider) -> None:
    profile_id = provider.send("POST", "/domains/terraform/profiles", NEW_PROFILE).json()["ProfileId"]

    changed = provider.send("PUT", "/domains/terraform/profiles", CHANGED_PROFILE % profile_id)

    assert changed.status_code == 200, changed.text
    assert profile(provider, profile_id) == {
        "LastName": "L",
        "EmailAddress": "ada@example.com",
        "Address": {"City": "Paris"},
        "Attributes": {"tier": "gold"},
    }


def test_an_arn_without_an_account_names_a_domain_of_this_server(provider: Provider) -> None:
    tagged = provider.send("POST", TAGS, '{"tags":{"size":"m","team":"web"}}')
    untagged = provider.send("DELETE", TAGS + "?tagKeys=size")
    shown = provider.send("GET", TAGS)

    assert (tagged.status_code, untagged.status_code) == (200, 200), (tagged.text, untagged.text)
    assert shown.json() == {"tags": {"team": "web"}}
    assert provider.send("GET", "/domains/terraform").json()["Tags"] == {"team": "web"}


def test_an_empty_text_elsewhere_is_still_refused(provider: Provider) -> None:
    gender = provider.send("POST", "/domains/terraform/profiles", '{"Gender":""}')
    search = provider.send("POST", "/domains/terraform/profiles/search", '{"KeyName":"","Values":["x"]}')

    assert (gender.status_code, search.status_code) == (400, 400)


def profile(provider: Provider, profile_id: str) -> dict[str, object]:
    """The values of a profile, found as the provider finds it."""
    found = provider.send(
        "POST", "/domains/terraform/profiles/search", f'{{"KeyName":"_profileId","Values":["{profile_id}"]}}'
    )
    (item,) = found.json()["Items"]
    return {name: value for name, value in item.items() if name not in ("ProfileId", "FoundByItems")}
