"""Who tries one secret after another at the console's sign-in is slowed, and keeps nobody else out for long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlencode

import pytest
import requests

from openprofiles.credentials.wrong_secrets import WrongSecrets
from wire.test_upload_jobs import Service, running_service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Each test has keys and addresses of its own."""
    with running_service(tmp_path_factory.mktemp("sign-in") / "data") as running:
        yield running


def make_key(service: Service) -> tuple[str, str]:
    made = service.credentials("*")
    return made.access_key, made.secret_key


def sign_in(service: Service, key: str, secret: str, address: str) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        return session.post(
            f"{service.address}/console/sign-in",
            data={"access_key_id": key, "secret_access_key": secret},
            headers={"X-Forwarded-For": address},
            allow_redirects=False,
            timeout=20,
        )


def test_after_ten_wrong_secrets_an_address_waits_and_others_do_not(service: Service) -> None:
    key, secret = make_key(service)

    statuses = [
        sign_in(service, key if number % 2 else f"OTHER{number}", "wrong", "203.0.113.1").status_code
        for number in range(10)
    ]
    held = sign_in(service, key, secret, "203.0.113.1")
    other = sign_in(service, key, secret, "203.0.113.2")

    assert statuses == [403] * 10
    assert held.status_code == 429
    assert held.headers["retry-after"] in ("1", "2")
    assert "Too many wrong attempts. Wait" in held.text
    assert other.status_code == 303


def test_addresses_of_one_ipv6_network_count_as_one(service: Service) -> None:
    key, _ = make_key(service)

    statuses = [sign_in(service, key, "wrong", f"2001:db8::{number:x}").status_code for number in range(12)]

    assert statuses[:10] == [403] * 10
    assert statuses[10:] == [429] * 2


def test_ipv4_addresses_written_as_ipv6_count_one_by_one(service: Service) -> None:
    key, secret = make_key(service)

    statuses = [sign_in(service, key, "wrong", "::ffff:203.0.113.20").status_code for _ in range(11)]
    other = sign_in(service, key, secret, "::ffff:203.0.113.21")

    assert statuses == [403] * 10 + [429]
    assert other.status_code == 303


@pytest.mark.parametrize("form", ["203.0.113.130:{port}", "[2001:db8:30::1]:{port}"])
def test_the_port_that_a_proxy_adds_does_not_make_another_address(service: Service, form: str) -> None:
    key, _ = make_key(service)

    statuses = [sign_in(service, key, "wrong", form.format(port=5000 + number)).status_code for number in range(11)]
    plain = sign_in(service, key, "wrong", form.partition("]")[0].lstrip("[").partition(":{")[0])
    other = sign_in(service, key, "wrong", "203.0.113.131:5000")

    assert statuses == [403] * 10 + [429]
    assert plain.status_code == 429
    assert other.status_code == 403


def test_an_address_that_the_client_made_up_in_a_header_of_its_own_does_not_count(service: Service) -> None:
    key, _ = make_key(service)
    body = urlencode({"access_key_id": key, "secret_access_key": "wrong"})

    statuses = []
    for number in range(11):
        with closing(HTTPConnection(service.address.removeprefix("http://"), timeout=20)) as connection:
            connection.putrequest("POST", "/console/sign-in")
            connection.putheader("X-Forwarded-For", f"192.0.2.{100 + number}")
            connection.putheader("X-Forwarded-For", "203.0.113.30")
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body.encode())
            statuses.append(connection.getresponse().status)

    assert statuses == [403] * 10 + [429]


def test_wrong_secrets_of_one_key_from_many_addresses_are_slowed(service: Service) -> None:
    key, _ = make_key(service)

    statuses = [sign_in(service, key, "wrong", f"198.51.100.{number}").status_code for number in range(60)]

    assert statuses[:40] == [403] * 40
    assert 429 in statuses[40:]
    assert sign_in(service, "ANOTHERKEY", "wrong", "198.51.100.200").status_code == 403


def test_right_secrets_are_not_counted(service: Service) -> None:
    key, secret = make_key(service)

    assert {sign_in(service, key, secret, "192.0.2.1").status_code for _ in range(15)} == {303}


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_attempts_are_forgotten_one_by_one() -> None:
    clock = Clock()
    wrong = WrongSecrets(3, 2.0, clock)
    for _ in range(3):
        assert wrong.seconds_to_wait("a") == 0
        wrong.count("a")

    held = wrong.seconds_to_wait("a")
    clock.now += 2
    one_more = wrong.seconds_to_wait("a")
    wrong.count("a")
    held_again = wrong.seconds_to_wait("a")
    clock.now += 6

    assert (held, one_more, held_again) == (2, 0, 2)
    assert [wrong.seconds_to_wait("a"), wrong.seconds_to_wait("b")] == [0, 0]


def test_the_names_that_are_remembered_are_limited() -> None:
    wrong = WrongSecrets(1, 1000.0, Clock(), names=100)

    for number in range(150):
        wrong.count(str(number))

    assert [wrong.seconds_to_wait(name) > 0 for name in ("0", "49", "50", "149")] == [False, False, True, True]
