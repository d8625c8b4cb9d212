"""The URL of a webhook, and the addresses that it may lead to.

A server sends requests to the URLs that its callers give, so a caller could make it send them to places that only it
can reach: the machine itself, its network, a cloud's metadata service. Such addresses are refused unless an operator
allows them. They are checked when the URL is set and again before each connection, which goes to exactly the address
that was checked.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NewType
from urllib.parse import urlsplit

from openprofiles.errors import InvalidRequest

_URL = re.compile(r"[\x21-\x7e]{1,2048}")
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45}")
_DEFAULT_PORTS = {"http": 80, "https": 443}
# Those of IPv6 that a translator leads to an address of IPv4, which stands in their last 32 bits.
_TRANSLATED = ip_network("64:ff9b::/96")
_TRANSLATED_LOCALLY = ip_network("64:ff9b:1::/48")

# The URL of a webhook that ``check_webhook_url`` has found to be good.
CheckedUrl = NewType("CheckedUrl", str)


class WebhookRefused(InvalidRequest):
    """A webhook cannot be used: its URL, or what the domain lacks for it. The message does not repeat the URL."""

    member = "Webhook.Url"


class PrivateAddress(Exception):
    """A host is at an address that is not of the open Internet."""


class UnknownHost(Exception):
    """No address of a host is known now."""


@dataclass(frozen=True, slots=True)
class WebhookUrl:
    """The parts of a URL that a request needs.

    Attributes:
        host: without brackets.
        target: path and query; may hold a token.
    """

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """Host and port as the header ``Host`` has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def parse_webhook_url(text: str) -> WebhookUrl:
    """Parse a webhook's URL.

    Raises:
        WebhookRefused: it is not valid. The message does not repeat it, since it may hold a token.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise WebhookRefused("The webhook URL is not a valid URL.") from None
    if not _URL.fullmatch(text):
        raise WebhookRefused(
            "The webhook URL must have at most 2048 ASCII characters and no spaces. Percent-encode other characters."
        )
    if parts.scheme not in _DEFAULT_PORTS:
        raise WebhookRefused("The webhook URL must start with https:// or http://.")
    if "@" in parts.netloc:
        raise WebhookRefused("The webhook URL must not contain a user or password.")
    if not _HOST.fullmatch(parts.hostname or "") or port == 0 or "\\" in text:
        raise WebhookRefused("The webhook URL must have a host. A port must be from 1 to 65535.")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return WebhookUrl(parts.scheme, str(parts.hostname), port or _DEFAULT_PORTS[parts.scheme], target)


def host_of(text: str) -> str:
    """Return the host of a webhook's URL; the host is not secret, the URL may be."""
    return urlsplit(text).hostname or ""


def check_webhook_url(text: str, *, private_addresses: bool) -> CheckedUrl:
    """Hold a URL to the rules when it is given. A host that is not known now may be known later.

    It looks up the host, so no transaction may be open.

    Raises:
        WebhookRefused: it is not a URL, or leads to an address that is refused.
    """
    url = parse_webhook_url(text)
    try:
        if not private_addresses:
            resolve(url, private_addresses=False)
    except PrivateAddress:
        raise WebhookRefused(
            f"The webhook host {url.host} does not have a public IP address. The server's operator can allow private "
            "addresses with --webhook-private-addresses."
        ) from None
    except UnknownHost:
        pass
    return CheckedUrl(text)


def resolve(url: WebhookUrl, *, private_addresses: bool) -> Sequence[str]:
    """Resolve a host to its addresses, the preferred first.

    Raises:
        PrivateAddress: one of them is not a public address, and such are not allowed.
        UnknownHost: the host has no address.
    """
    try:
        found = socket.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except (OSError, UnicodeError):
        raise UnknownHost from None
    addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
    if not addresses:
        raise UnknownHost
    if not private_addresses and not all(is_public(address) for address in addresses):
        raise PrivateAddress
    return addresses


def is_public(text: str) -> bool:
    """Return whether an address is public.

    Loopback, private, link-local, multicast, unspecified and reserved addresses are not, nor those that embed one.
    """
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        embedded = _embedded(address)
        if embedded is not None:
            return is_public(str(embedded))
        if address.is_site_local or address in _TRANSLATED_LOCALLY:
            return False
    return address.is_global and not (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
    )


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 address embeds."""
    if address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    if address.teredo is not None:
        return address.teredo[1]
    return address.ipv4_mapped or address.sixtofour
