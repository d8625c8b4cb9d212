"""How the values of a domain's keys compare, as its object types say."""

from __future__ import annotations

from collections.abc import Iterable

from openprofiles.facts.standard_profile import PROFILE_ID_KEY
from openprofiles.facts.typed_keys import STANDARD_KEYS, KeyForms
from openprofiles.profiles.session import Reading
from openprofiles.store.definitions import read_key_forms_of_domain


def read_forms(session: Reading, key_names: Iterable[str]) -> KeyForms:
    """Read the forms of the domain's keys, unless these are all standard keys."""
    if STANDARD_KEYS.union((PROFILE_ID_KEY,)).issuperset(key_names):
        return {}
    return read_key_forms_of_domain(session.connection, session.domain.domain_id)
