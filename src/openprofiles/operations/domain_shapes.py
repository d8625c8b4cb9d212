"""Domains as the API shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from openprofiles.facts.domain_config import CONFIG_MEMBERS
from openprofiles.facts.records import Domain
from openprofiles.member_names import members_of

if TYPE_CHECKING:
    from openprofiles.wire import types as aws


def config_of_request(request: Mapping[str, Any]) -> dict[str, Any]:
    """Extract the domain's configuration from a CreateDomain or UpdateDomain request."""
    return {member: request[member] for member in CONFIG_MEMBERS if member in request}


def domain_answer(domain: Domain) -> dict[str, Any]:
    """Build the members that the answers of CreateDomain, GetDomain and UpdateDomain share."""
    answer = {
        "DomainName": domain.name,
        **members_of(domain, "default_expiration_days", "created_at"),
        "LastUpdatedAt": domain.updated_at,
        "Tags": dict(domain.tags),
        **domain.config,
    }
    if "DataStore" in domain.config:
        answer["DataStore"] = _data_store_answer(domain.config["DataStore"])
    return answer


def domain_item(domain: Domain) -> aws.ListDomainItem:
    """Build the item of a list that shows a domain."""
    return {
        "DomainName": domain.name,
        "CreatedAt": domain.created_at,
        "LastUpdatedAt": domain.updated_at,
        "Tags": dict(domain.tags),
    }


def _data_store_answer(given: Mapping[str, Any]) -> aws.DataStoreResponse:
    if not given.get("Enabled"):
        return {"Enabled": False}
    # There is one store for everything, so that nothing has to be copied before it is ready.
    return {"Enabled": True, "Readiness": {"ProgressPercentage": 100}}
