"""Find the principal of a request to an operation, by its signature or by a session of the console."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from openprofiles.credentials.principal import Principal
from openprofiles.server.console.sessions import COOKIE, CSRF_HEADER, is_csrf_token, is_from_here, read_cookie
from openprofiles.server.services import Services
from openprofiles.wire.errors import WireError
from openprofiles.wire.signature import SignedRequest, signed_region


@dataclass(frozen=True, slots=True)
class Access:
    """Finds the principal of requests that are signed, or that carry a session and its CSRF token."""

    services: Services

    def authenticate(self, request: SignedRequest) -> Principal:
        """Return the principal.

        Raises:
            WireError: the signature or the session is not valid.
        """
        if _is_of_script(request):
            return self._principal_of_session(request)
        return self.services.authenticator.authenticate(request)

    def check_head(self, request: SignedRequest) -> None:
        """Refuse a request whose body was not read yet if ``authenticate`` would refuse any body.

        Raises:
            WireError: as ``authenticate``.
        """
        if _is_of_script(request):
            self._principal_of_session(request, is_counted=False)
        else:
            self.services.authenticator.check_head(request)

    def region_of(self, request: SignedRequest) -> str:
        """Return the region of the signature, or that of the server."""
        return self.services.settings.region if _is_of_script(request) else signed_region(request)

    def _principal_of_session(self, request: SignedRequest, *, is_counted: bool = True) -> Principal:
        services, headers = self.services, Headers(raw=list(request.headers))
        cookie = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
        session = read_cookie(services.master_key, cookie, services.clock())
        if session is not None:
            # Another site can neither read the token nor set the header.
            if not is_from_here(services.settings, headers) or not is_csrf_token(session, headers[CSRF_HEADER]):
                raise WireError(
                    "InvalidSignatureException",
                    "This request did not come from a page of this console. Reload the page and try again.",
                )
            principal = services.authenticator.find_principal(session.access_key_id, is_counted=is_counted)
            if principal is not None:
                return principal
        raise WireError(
            "MissingAuthenticationTokenException",
            "Your session expired. Sign in in another tab, then continue here.",
        )


def _is_of_script(request: SignedRequest) -> bool:
    return bool(request.header(CSRF_HEADER.encode("ascii"))) and not request.header(b"authorization")
