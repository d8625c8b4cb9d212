"""Which URLs a webhook may have, and where they may lead."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openprofiles.errors import InvalidRequest
from openprofiles.uploads.webhook_url import (
    PrivateAddress,
    UnknownHost,
    WebhookUrl,
    check_webhook_url,
    host_of,
    is_public,
    parse_webhook_url,
    resolve,
)


@pytest.mark.parametrize(
    ("text", "url", "authority"),
    [
        ("https://hooks.example.com", WebhookUrl("https", "hooks.example.com", 443, "/"), "hooks.example.com"),
        ("https://h.example:443/a?b=c#d", WebhookUrl("https", "h.example", 443, "/a?b=c"), "h.example"),
        ("HTTP://H.Example:8080/x%20y", WebhookUrl("http", "h.example", 8080, "/x%20y"), "h.example:8080"),
        ("http://[2001:db8::1]:81/", WebhookUrl("http", "2001:db8::1", 81, "/"), "[2001:db8::1]:81"),
        ("http://h.example?token=1", WebhookUrl("http", "h.example", 80, "/?token=1"), "h.example"),
    ],
)
def test_the_parts_of_a_url_are_told_apart(text: str, url: WebhookUrl, authority: str) -> None:
    assert parse_webhook_url(text) == url
    assert url.authority == authority
    assert host_of(text) == url.host


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hooks.example.com",
        "ftp://h.example/",
        "file:///etc/passwd",
        "https://",
        "https:///path",
        "https://user@h.example/",
        "https://user:geheim@h.example/",
        "https://@h.example/",
        "https://h.example:0/",
        "https://h.example:65536/",
        "https://h.example:x/",
        "https://h.example/a b",
        "https://h.example/\r\nX: y",
        "https://h.example\t/",
        "https://hö.example/",
        "https://h.example/ö",
        "https://[::1",
        "https://[fe80::1%25eth0]/",
        "https://h.example\\@127.0.0.1/",
        "https://h%2eexample/",
        "https://h.example/" + "x" * 2048,
    ],
)
def test_what_is_no_url_of_a_webhook_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^The webhook URL") as refused:
        parse_webhook_url(text)

    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
        "100.64.0.1", "0.0.0.0", "0.1.2.3", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",  # noqa: S104
        "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "192.0.0.1",
        "::", "::1", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd12:3456::1", "ff02::1", "2001:db8::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1",
        "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::808:808", "2002:7f00:1::", "2002:a00:1::1", "100::1",
        "2001:0:4136:e378:8000:63bf:80ff:fffe",
    ],
)  # fmt: skip
def test_addresses_that_are_not_of_the_open_internet_are_refused(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "93.184.215.14", "172.32.0.1", "192.169.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8",
     "64:ff9b::808:808"],
)  # fmt: skip
def test_addresses_of_the_open_internet_are_allowed(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_an_address_of_ipv4_is_judged_alike_in_every_dress(address: IPv4Address) -> None:
    number = int(address)
    dresses = [
        f"::ffff:{address}",
        str(IPv6Address((0x64FF9B << 96) | number)),
        str(IPv6Address((0x2002 << 112) | (number << 80))),
    ]

    assert {is_public(dress) for dress in dresses} == {is_public(str(address))}
    assert not (is_public(str(address)) and (address.is_private or address.is_loopback or address.is_multicast))


@given(st.ip_addresses(v=6))
def test_no_address_of_ipv6_that_python_calls_private_is_allowed(address: IPv6Address) -> None:
    if address.is_private or address.is_multicast or address.is_reserved or not address.is_global:
        leads_to_ipv4 = address.ipv4_mapped or address.sixtofour or address in ip_network("64:ff9b::/96")
        assert leads_to_ipv4 or not is_public(str(address))


def answer_with(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    def look_up(_host: str, port: int, **_more: Any) -> list[Any]:
        if not addresses:
            raise socket.gaierror
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


def test_a_host_with_one_private_address_among_others_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    url = parse_webhook_url("https://h.example/")
    answer_with(monkeypatch, "8.8.8.8", "10.0.0.1")

    with pytest.raises(PrivateAddress):
        resolve(url, private_addresses=False)
    with pytest.raises(InvalidRequest, match=r"h\.example does not have a public IP address"):
        check_webhook_url("https://h.example/", private_addresses=False)

    assert resolve(url, private_addresses=True) == ["8.8.8.8", "10.0.0.1"]


def test_a_host_that_is_not_known_yet_may_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    answer_with(monkeypatch)

    check_webhook_url("https://h.example/", private_addresses=False)

    with pytest.raises(UnknownHost):
        resolve(parse_webhook_url("https://h.example/"), private_addresses=False)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "127.1", "0x7f.1", "2130706433"]
)
def test_this_machine_is_refused_however_it_is_written(host: str) -> None:
    with pytest.raises(InvalidRequest, match="--webhook-private-addresses"):
        check_webhook_url(f"http://{host}:8080/", private_addresses=False)

    check_webhook_url(f"http://{host}:8080/", private_addresses=True)
