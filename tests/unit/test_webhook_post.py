"""One POST to a receiver: where it connects, what it sends, and what it makes of the answer."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from openprofiles.uploads.webhook_url import parse_webhook_url
from openprofiles.worker import webhook_post
from openprofiles.worker.webhook_post import DeliveryFailed
from webhook_receiver import webhook_receiver

BODY = b'{"Event": "UploadJobEnded"}'


def post(url: str, *, private_addresses: bool = True) -> None:
    webhook_post.post(parse_webhook_url(url), {"x-test": "1"}, BODY, private_addresses=private_addresses)


def lead_to_this_machine(monkeypatch: pytest.MonkeyPatch, *first: str) -> list[str]:
    """Have each look-up of a name answered with the next of these addresses, then 127.0.0.1; the names that were."""
    real, asked, answers = socket.getaddrinfo, list[str](), list(first)

    def look_up(host: str, port: Any, *more: Any, **named: Any) -> Any:
        if host.replace(".", "").isdigit():
            return real(host, port, *more, **named)
        asked.append(host)
        address = answers.pop(0) if answers else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, Path]:
    """A context with a certificate for the name, and the file of that certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file, key_file = folder / f"{name}.pem", folder / f"{name}.key"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key_file)
    return context, file


def test_the_body_comes_whole_under_the_name_that_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    lead_to_this_machine(monkeypatch)
    with webhook_receiver() as receiver:
        post(f"http://hooks.example:{receiver.port}/a?token=t")

    (received,) = receiver.received
    assert (received.path, received.body) == ("/a?token=t", BODY)
    assert (received.headers["host"], received.headers["x-test"]) == (f"hooks.example:{receiver.port}", "1")


@pytest.mark.parametrize("status", [201, 202, 204, 299])
def test_every_2xx_takes_it(status: int) -> None:
    with webhook_receiver() as receiver:
        receiver.answers = [status]
        post(receiver.url)

    assert len(receiver.received) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with webhook_receiver() as receiver:
        receiver.answers = [status]
        with pytest.raises(DeliveryFailed, match=rf"^The response was {status}; redirects are not followed\.$"):
            post(receiver.url)

    assert receiver.connections == 1


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_another_answer_is_a_failure(status: int) -> None:
    with webhook_receiver() as receiver:
        receiver.answers = [status]
        with pytest.raises(DeliveryFailed, match=rf"^The response was {status}\.$"):
            post(receiver.url)


@pytest.mark.parametrize("host", ["127.0.0.1", "hooks.example"])
def test_a_private_address_is_never_connected_to(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    lead_to_this_machine(monkeypatch)
    with webhook_receiver() as receiver:
        with pytest.raises(DeliveryFailed, match="does not have a public IP address"):
            post(f"http://{host}:{receiver.port}/", private_addresses=False)

        assert receiver.connections == 0


def test_the_name_is_looked_up_once_and_the_connection_goes_where_that_led(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = lead_to_this_machine(monkeypatch, "127.0.0.2")
    with webhook_receiver() as receiver:
        # Nobody listens at 127.0.0.2; a second look-up would lead to the receiver.
        with pytest.raises(DeliveryFailed, match=r"^The connection was refused\.$"):
            post(f"http://hooks.example:{receiver.port}/")

        assert (asked, receiver.connections) == (["hooks.example"], 0)


def test_the_certificate_must_be_for_the_name_and_of_a_trusted_issuer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lead_to_this_machine(monkeypatch)
    context, file = certificate(tmp_path, "hooks.example")
    with webhook_receiver(context) as receiver:
        with pytest.raises(DeliveryFailed, match="certificate could not be verified"):
            post(f"https://hooks.example:{receiver.port}/")
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        with pytest.raises(DeliveryFailed, match="certificate could not be verified"):
            post(f"https://other.example:{receiver.port}/")
        post(f"https://hooks.example:{receiver.port}/")

    assert [one.body for one in receiver.received] == [BODY]


def test_tls_with_a_server_that_has_none_fails() -> None:
    with webhook_receiver() as receiver, pytest.raises(DeliveryFailed, match="The TLS connection failed"):
        post(f"https://127.0.0.1:{receiver.port}/")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_who_answers_a_byte_at_a_time_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setattr(webhook_post, "TIMEOUT_SECONDS", 0.5)
    listener = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()

    def drip() -> None:
        connected, _ = listener.accept()
        answer = b"\x16\x03\x03\x40\x00" if scheme == "https" else b"HTTP/1.1 200 OK\r\nX: "
        try:
            connected.sendall(answer)
            while not done.wait(0.05):
                connected.sendall(b"x")
        except OSError:
            pass
        connected.close()

    thread = threading.Thread(target=drip)
    thread.start()
    begun = time.monotonic()

    try:
        with pytest.raises(DeliveryFailed, match=r"^No response within 0\.5 seconds\.$"):
            post(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/")
        assert time.monotonic() - begun < 5
    finally:
        done.set()
        thread.join()
        listener.close()


def test_who_ends_the_connection_or_answers_something_else_has_not_taken_it() -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        for text in (b"", b"SSH-2.0-x\r\n"):
            connected, _ = listener.accept()
            connected.recv(65536)
            connected.sendall(text)
            connected.close()

    thread = threading.Thread(target=answer)
    thread.start()

    for _ in range(2):
        with pytest.raises(DeliveryFailed, match="closed without an HTTP response"):
            post(f"http://127.0.0.1:{listener.getsockname()[1]}/")
    thread.join()
    listener.close()
