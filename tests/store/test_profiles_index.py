"""The index of keys holds at every moment what it should, whatever was done to a profile before."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select

import budgets
import by_hand
from openprofiles.clock import from_milliseconds
from openprofiles.facts.keys import Key, derived_keys
from openprofiles.facts.normal_forms import normal_key
from openprofiles.ids import row_number_of
from openprofiles.profiles import domains
from openprofiles.profiles.profiles import ProfileChange
from openprofiles.store import tables
from openprofiles.store.connections import Store

NOW = from_milliseconds(1_780_000_000_123)


texts = st.sampled_from(["", "a@x.de", "A@x.de ", "b@x.de", "2065550100", "+1 206 555 0100"])
steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("update"),
            st.dictionaries(
                st.sampled_from(["EmailAddress", "BusinessEmailAddress", "PhoneNumber", "FirstName", "BirthDate"]),
                texts,
            ),
        ),
        st.tuples(st.just("add"), st.tuples(st.sampled_from(["_email", "crm"]), texts.filter(bool))),
        st.tuples(st.just("delete"), st.tuples(st.sampled_from(["_email", "_phone", "crm"]), texts.filter(bool))),
    ),
    max_size=12,
)


def test_the_index_is_what_the_fields_give_and_hands_added_without_what_was_deleted(store: Store) -> None:
    domain = domains.create_domain(
        store, "shop", default_expiration_days=30, config={}, tags={}, phone_region="US", now=NOW
    )
    with store.write() as connection:
        connection.execute(
            insert(tables.indexed_field).values(domain_id=domain.domain_id, path="BirthDate", is_built=True)
        )
    ada = ProfileChange(values={"EmailAddress": "a@x.de", "BirthDate": "b@x.de"})
    other = by_hand.create_profile(store, "shop", ada, NOW)

    @budgets.QUERIES
    @given(steps=steps)
    def check(steps: list[Any]) -> None:
        profile_id = by_hand.create_profile(store, "shop", ada, NOW).profile_id
        values = dict(ada.values)
        added_by_hand: set[Key] = set()
        deleted: set[Key] = set()

        for kind, given_step in steps:
            before = fields_keys(values)
            if kind == "update":
                by_hand.update_profile(store, "shop", profile_id, ProfileChange(values=given_step), NOW)
                values = {path: text for path, text in (values | given_step).items() if text}
                # A deleted key is no longer deleted when its field loses the value, nor when a field gains it.
                deleted = {key for key in deleted if key in before and key in fields_keys(values)}
                continue
            name, text = given_step
            value = normal_key(name, text, "US")
            if value is None:
                continue
            if kind == "add":
                by_hand.add_profile_key(store, "shop", profile_id, name, [text], NOW)
                added_by_hand.add(Key(name, value))
                deleted.discard(Key(name, value))
            else:
                by_hand.delete_profile_key(store, "shop", profile_id, name, [text], NOW)
                added_by_hand.discard(Key(name, value))
                deleted |= {Key(name, value)} & before

        assert index_of(store, row_number_of(profile_id)) == (fields_keys(values) | added_by_hand) - deleted
        assert index_of(store, other.pid) == {Key("_email", "a@x.de"), Key("_profile.BirthDate", "b@x.de")}

    check()


def fields_keys(values: dict[str, str]) -> frozenset[Key]:
    return derived_keys(values, {}, "US", ["BirthDate"])


def index_of(store: Store, pid: int | None) -> set[Key]:
    with store.read() as connection:
        index = tables.profile_key.c
        return {Key(*row) for row in connection.execute(select(index.name, index.value).where(index.pid == pid))}
