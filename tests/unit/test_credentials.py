from __future__ import annotations

import json
import multiprocessing
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from sqlalchemy import text

from openprofiles.clock import utc_now
from openprofiles.credentials.administer import (
    NewCredential,
    check_master_key,
    create_credential,
    ensure_admin_credential,
    read_admin_credential,
    read_credentials,
    revoke_credential,
)
from openprofiles.credentials.authenticate import Authenticator
from openprofiles.credentials.authorise import authorise, authorise_action
from openprofiles.credentials.principal import Principal, check_patterns
from openprofiles.credentials.throttle import TokenBucket
from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.master_key import MasterKey, load_master_key
from openprofiles.settings import Settings, SettingsError
from openprofiles.store.connections import Store
from openprofiles.store.open import open_store
from openprofiles.store.sqlite import SqliteStore
from openprofiles.wire.errors import WireError
from openprofiles.wire.model import load_model
from openprofiles.wire.signature import SignedRequest

OPERATIONS = load_model().operations

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


@dataclass
class Installation:
    """A store with its key, and a clock that tests move."""

    settings: Settings
    store: Store
    master_key: MasterKey
    seconds: float = 0.0
    authenticator: Authenticator = field(init=False)

    def __post_init__(self) -> None:
        self.authenticator = Authenticator(
            self.store, self.master_key, clock=utc_now, monotonic_clock=lambda: self.seconds
        )

    def create(self, *, requests_per_second: float | None = None) -> NewCredential:
        return create_credential(
            self.store,
            self.master_key,
            name="reports",
            actions=("profile:Get*",),
            domains=("sales",),
            requests_per_second=requests_per_second,
            now=NOW,
        )


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    settings = Settings(data_folder=tmp_path / "data")
    store = open_store(settings)
    yield Installation(settings, store, load_master_key(settings))
    store.close()


def sign(access_key_id: str, secret: str) -> SignedRequest:
    """A request as botocore signs it, at this moment."""
    request = AWSRequest("GET", "http://localhost/domains", headers={"Host": "localhost"})
    SigV4Auth(Credentials(access_key_id, secret), "profile", "us-east-1").add_auth(request)
    headers = [(name.lower().encode(), value.encode()) for name, value in request.headers.items()]
    return SignedRequest("GET", b"/domains", b"", headers, b"")


def principal(*, actions: tuple[str, ...] = ("*",), domains: tuple[str, ...] = ("*",)) -> Principal:
    return Principal("OPAAA", "test", actions, domains)


# What a principal may do


@pytest.mark.parametrize(
    ("pattern", "operation_name", "allowed"),
    [
        ("*", "CreateDomain", True),
        ("profile:*", "CreateDomain", True),
        ("profile:GetUploadJob", "GetUploadJob", True),
        ("profile:GetUploadJob", "GetUploadJobPath", False),
        ("profile:Get*", "GetUploadJobPath", True),
        ("profile:Get*", "CreateDomain", False),
        ("profile:get*", "GetDomain", False),
        ("openprofiles:*", "GetDomain", False),
    ],
)
def test_an_action_is_allowed_by_its_name_or_its_beginning(pattern: str, operation_name: str, allowed: bool) -> None:
    assert principal(actions=(pattern,)).may_do(f"profile:{operation_name}") is allowed


@pytest.mark.parametrize(
    ("pattern", "domain", "visible"),
    [
        ("*", "sales", True),
        ("sales", "sales", True),
        ("sales", "sales-eu", False),
        ("sales-*", "sales-eu", True),
        ("sales-*", "sales", False),
        ("sales", "Sales", False),
    ],
)
def test_a_domain_is_visible_by_its_name_or_its_beginning(pattern: str, domain: str, visible: bool) -> None:
    assert principal(domains=(pattern,)).may_see_domain(domain) is visible


@pytest.mark.parametrize(
    ("actions", "domains"),
    [
        ((), ("*",)),
        (("*",), ()),
        (("GetDomain",), ("*",)),
        (("profile:",), ("*",)),
        (("s3:Get*",), ("*",)),
        (("profile:Get*Job",), ("*",)),
        (("profile:GetDomain\n",), ("*",)),
        (("*",), ("sales/eu",)),
        (("*",), ("*-eu",)),
        (("*",), ("",)),
        (("*",), ("x" * 65,)),
    ],
)
def test_patterns_that_could_never_match_are_refused(actions: tuple[str, ...], domains: tuple[str, ...]) -> None:
    with pytest.raises(InvalidRequest):
        check_patterns(actions, domains)


def test_an_action_that_is_not_allowed_is_named_with_its_domain() -> None:
    with pytest.raises(
        WireError,
        match=r"OPAAA may not call profile:CreateDomain on the domain sales: the credential does not allow this action",
    ) as e:
        authorise(principal(actions=("profile:Get*",)), OPERATIONS["CreateDomain"], {"DomainName": "sales"})

    assert e.value.code == "AccessDeniedException"


def test_a_domain_that_is_not_allowed_is_refused() -> None:
    caller = principal(domains=("sales",))

    authorise(caller, OPERATIONS["GetDomain"], {"DomainName": "sales"})

    with pytest.raises(
        WireError, match="profile:GetDomain on the domain hr: the credential does not allow this domain"
    ):
        authorise(caller, OPERATIONS["GetDomain"], {"DomainName": "hr"})


@pytest.mark.parametrize("kind", ["", "/object-types/Order", "/a/b/c"])
def test_tags_are_held_to_the_domain_inside_their_arn(kind: str) -> None:
    caller = principal(domains=("sales",))

    authorise(
        caller,
        OPERATIONS["TagResource"],
        {"resourceArn": f"arn:aws:profile:us-east-1:123456789012:domains/sales{kind}"},
    )

    with pytest.raises(WireError, match="profile:TagResource on the domain hr"):
        authorise(
            caller,
            OPERATIONS["TagResource"],
            {"resourceArn": f"arn:aws:profile:us-east-1:123456789012:domains/hr{kind}"},
        )


@pytest.mark.parametrize("arn", ["", "sales", "arn:aws:profile:us-east-1:1:domains/", "arn:aws:s3:::domains/sales"])
def test_an_arn_without_a_domain_is_for_those_who_see_every_domain(arn: str) -> None:
    authorise(principal(), OPERATIONS["TagResource"], {"resourceArn": arn})

    with pytest.raises(WireError, match="resource without a domain"):
        authorise(principal(domains=("sales",)), OPERATIONS["TagResource"], {"resourceArn": arn})


def test_an_operation_without_a_domain_needs_its_action_alone() -> None:
    authorise(principal(actions=("profile:List*",), domains=("sales",)), OPERATIONS["ListDomains"], {})

    with pytest.raises(WireError, match=r"may not call profile:ListDomains: the credential does not allow this action"):
        authorise(principal(actions=("profile:Get*",)), OPERATIONS["ListDomains"], {})


def test_what_aws_has_no_operation_for_is_an_action_of_openprofiles() -> None:
    authorise_action(principal(actions=("openprofiles:GetFailedRows",)), "openprofiles:GetFailedRows", "sales")

    with pytest.raises(WireError):
        authorise_action(principal(actions=("profile:*",)), "openprofiles:GetFailedRows", "sales")


# The store


def test_a_credential_looks_like_one_of_aws_and_its_secret_is_stored_encrypted(installation: Installation) -> None:
    new = installation.create()

    (stored,) = read_credentials(installation.store)

    assert len(new.access_key_id) == 20
    assert new.access_key_id.startswith("OP")
    assert new.access_key_id.isupper()
    assert len(new.secret_access_key) == 40
    assert stored.access_key_id == new.access_key_id
    assert (stored.name, stored.actions, stored.domains) == ("reports", ("profile:Get*",), ("sales",))
    assert stored.created_at == NOW
    assert new.secret_access_key.encode() not in stored.secret
    for path in installation.settings.data_folder.iterdir():
        assert path.is_dir() or new.secret_access_key.encode() not in path.read_bytes()


@pytest.mark.parametrize("name", ["", "  ", "x" * 129])
def test_a_credential_needs_a_name(installation: Installation, name: str) -> None:
    with pytest.raises(InvalidRequest, match="1 to 128 characters"):
        create_credential(
            installation.store,
            installation.master_key,
            name=name,
            actions=("*",),
            domains=("*",),
            requests_per_second=None,
            now=NOW,
        )


@pytest.mark.parametrize("rate", [0.0, -1.0, float("inf"), float("nan")])
def test_a_rate_must_be_more_than_nothing(installation: Installation, rate: float) -> None:
    with pytest.raises(InvalidRequest, match="more than 0"):
        installation.create(requests_per_second=rate)


def test_a_revoked_credential_keeps_the_time_of_its_first_revocation(installation: Installation) -> None:
    kept, revoked = installation.create(), installation.create()

    revoke_credential(installation.store, revoked.access_key_id, NOW)
    revoke_credential(installation.store, revoked.access_key_id, NOW + timedelta(days=1))

    times = {each.access_key_id: each.revoked_at for each in read_credentials(installation.store)}
    assert times == {kept.access_key_id: None, revoked.access_key_id: NOW}


def test_revoking_an_unknown_credential_is_an_error(installation: Installation) -> None:
    with pytest.raises(NotFound, match="There is no credential 'OPX'"):
        revoke_credential(installation.store, "OPX", NOW)


# The administrator's credential


def test_the_first_start_makes_an_administrator_and_later_ones_do_not(installation: Installation) -> None:
    for _ in range(2):
        ensure_admin_credential(installation.settings, installation.store, installation.master_key, NOW)

    (stored,) = read_credentials(installation.store)
    admin = read_admin_credential(installation.settings)
    path = installation.settings.admin_credential_path
    assert (stored.access_key_id, stored.actions, stored.domains) == (admin.access_key_id, ("*",), ("*",))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert set(json.loads(path.read_bytes())) == {"access_key_id", "secret_access_key"}
    assert (
        installation.authenticator.authenticate(sign(admin.access_key_id, admin.secret_access_key)).name
        == "administrator"
    )


def test_an_administrator_killed_between_file_and_store_is_completed_at_the_next_start(
    installation: Installation,
) -> None:
    ensure_admin_credential(installation.settings, installation.store, installation.master_key, NOW)
    written = installation.settings.admin_credential_path.read_bytes()
    with installation.store.write() as connection:
        connection.execute(text("delete from credential"))

    ensure_admin_credential(installation.settings, installation.store, installation.master_key, NOW)

    admin = read_admin_credential(installation.settings)
    assert installation.settings.admin_credential_path.read_bytes() == written
    caller = installation.authenticator.authenticate(sign(admin.access_key_id, admin.secret_access_key))
    assert caller.name == "administrator"


def test_a_removed_or_revoked_administrator_does_not_come_back(installation: Installation) -> None:
    ensure_admin_credential(installation.settings, installation.store, installation.master_key, NOW)
    admin = read_admin_credential(installation.settings)
    revoke_credential(installation.store, admin.access_key_id, NOW)
    installation.settings.admin_credential_path.unlink()

    ensure_admin_credential(installation.settings, installation.store, installation.master_key, NOW)

    assert len(read_credentials(installation.store)) == 1
    with pytest.raises(SettingsError, match="The administrator's credential is not at"):
        read_admin_credential(installation.settings)


def test_a_master_key_of_another_store_is_refused(installation: Installation) -> None:
    check_master_key(installation.settings, installation.store, MasterKey(bytes(32)))
    installation.create()

    check_master_key(installation.settings, installation.store, installation.master_key)

    with pytest.raises(SettingsError, match="does not belong to the store"):
        check_master_key(installation.settings, installation.store, MasterKey(bytes(32)))


def test_a_damaged_administrators_file_is_reported_without_its_content(installation: Installation) -> None:
    installation.settings.admin_credential_path.write_text('{"access_key_id": "geheim"}')

    with pytest.raises(SettingsError, match="cannot be read") as caught:
        read_admin_credential(installation.settings)

    assert "geheim" not in str(caught.value)


def start(folder: Path) -> None:
    settings = Settings(data_folder=folder)
    store = open_store(settings)
    ensure_admin_credential(settings, store, load_master_key(settings), NOW)
    store.close()


def test_processes_that_start_at_once_make_one_administrator(tmp_path: Path) -> None:
    folder = tmp_path / "data"

    with multiprocessing.get_context("spawn").Pool(4) as pool:
        pool.map(start, [folder] * 6, chunksize=1)

    settings = Settings(data_folder=folder)
    store = open_store(settings)
    (stored,) = read_credentials(store)
    store.close()
    assert stored.access_key_id == read_admin_credential(settings).access_key_id


# Authentication


def test_the_owner_of_a_good_signature_is_known(installation: Installation) -> None:
    new = installation.create()

    caller = installation.authenticator.authenticate(sign(new.access_key_id, new.secret_access_key))

    assert caller == Principal(new.access_key_id, "reports", ("profile:Get*",), ("sales",))


def test_a_wrong_secret_is_refused(installation: Installation) -> None:
    new, other = installation.create(), installation.create()

    with pytest.raises(WireError) as caught:
        installation.authenticator.authenticate(sign(new.access_key_id, other.secret_access_key))

    assert caught.value.code == "InvalidSignatureException"


def test_an_unknown_credential_is_refused_and_not_remembered(installation: Installation) -> None:
    for number in range(3):
        with pytest.raises(WireError) as caught:
            installation.authenticator.authenticate(sign(f"OPUNKNOWN{number}", "secret"))
        assert caught.value.code == "UnrecognizedClientException"

    assert installation.authenticator._known == {}


def test_a_revoked_credential_is_refused_within_a_second(installation: Installation) -> None:
    new = installation.create()
    request = sign(new.access_key_id, new.secret_access_key)
    installation.authenticator.authenticate(request)
    revoke_credential(installation.store, new.access_key_id, NOW)

    installation.seconds = 1.0

    with pytest.raises(WireError) as caught:
        installation.authenticator.authenticate(request)
    assert caught.value.code == "UnrecognizedClientException"


def test_a_known_credential_costs_no_query_within_a_second(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = installation.create()
    request = sign(new.access_key_id, new.secret_access_key)
    installation.authenticator.authenticate(request)

    def refuse(_self: SqliteStore) -> None:
        raise AssertionError("the store was asked")

    monkeypatch.setattr(SqliteStore, "read", refuse)
    installation.seconds = 0.99

    assert installation.authenticator.authenticate(request).name == "reports"
    installation.seconds = 1.0
    with pytest.raises(AssertionError, match="the store was asked"):
        installation.authenticator.authenticate(request)


def test_a_credential_over_its_rate_is_throttled_until_time_has_passed(installation: Installation) -> None:
    new, other = installation.create(requests_per_second=2), installation.create()
    request = sign(new.access_key_id, new.secret_access_key)
    for _ in range(2):
        installation.authenticator.authenticate(request)

    with pytest.raises(WireError, match="limited to 2 requests per second") as caught:
        installation.authenticator.authenticate(request)

    assert (caught.value.code, caught.value.status) == ("ThrottlingException", 429)
    # Another credential is not held to this one's rate.
    installation.authenticator.authenticate(sign(other.access_key_id, other.secret_access_key))
    # The store is read again meanwhile, which must not fill the bucket.
    installation.seconds = 1.0
    for _ in range(2):
        installation.authenticator.authenticate(request)
    with pytest.raises(WireError):
        installation.authenticator.authenticate(request)


def test_bad_signatures_do_not_use_up_the_rate_of_a_credential(installation: Installation) -> None:
    new = installation.create(requests_per_second=1)
    for _ in range(5):
        with pytest.raises(WireError) as caught:
            installation.authenticator.authenticate(sign(new.access_key_id, "wrong"))
        assert caught.value.code == "InvalidSignatureException"

    caller = installation.authenticator.authenticate(sign(new.access_key_id, new.secret_access_key))

    assert caller.access_key_id == new.access_key_id


def test_a_rate_below_one_a_second_lets_single_requests_through() -> None:
    seconds = 0.0
    bucket = TokenBucket(0.5, lambda: seconds)

    first, second = bucket.take(), bucket.take()
    seconds = 1.9
    third = bucket.take()
    seconds = 2.0
    fourth = bucket.take()

    assert [first, second, third, fourth] == [True, False, False, True]


def test_threads_together_get_no_more_than_the_rate() -> None:
    bucket = TokenBucket(50, lambda: 0.0)
    barrier = threading.Barrier(8)

    def take_many(_: int) -> int:
        barrier.wait()
        return sum(bucket.take() for _ in range(100))

    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(take_many, range(8)))

    assert sum(taken) == 50
