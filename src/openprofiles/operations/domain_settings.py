"""What imports need to know of a domain."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from openprofiles.operations.call import Call
from openprofiles.operations.registry import own_operation
from openprofiles.uploads.mappings.known_attributes import list_known_attributes

if TYPE_CHECKING:
    from openprofiles.wire import own_types as own


@own_operation("GetDomainSettings")
def get_domain_settings(call: Call, request: own.GetDomainSettingsRequest) -> own.DomainSettings:
    """Return the expiration of a domain, and the country of its phone numbers."""
    with call.reading(request["DomainName"]) as session:
        domain = session.domain
    return {"DefaultExpirationDays": domain.default_expiration_days, "PhoneRegion": domain.phone_region}


@own_operation("GetKnownAttributes")
def get_known_attributes(call: Call, request: own.GetKnownAttributesRequest) -> own.KnownAttributes:
    """Return the custom attributes that the latest upload jobs have loaded."""
    return {"Attributes": list_known_attributes(partial(call.reading, request["DomainName"]))}
