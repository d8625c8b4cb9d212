"""Objects in one transaction give the same result as one after the other, whatever they have in common."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

import budgets
from openprofiles.objects.objects import put_objects_of_calls
from openprofiles.store import objects as object_rows
from openprofiles.store import tables
from openprofiles.store.connections import Store
from store.made_rows import make_domain
from store.object_shop import CRM, ObjectShop, field, key

ORDERS: dict[str, Any] = {
    "AllowProfileCreation": True,
    "Fields": {
        "id": field("id"),
        "who": field("who"),
        "mail": field("mail", None, "EMAIL_ADDRESS"),
        "city": field("city", "_order.ShippingAddress.City"),
        "first": field("first", "_profile.FirstName"),
    },
    "Keys": {
        "crmId": [key("PROFILE", fields=("who",))],
        "_email": [key("PROFILE", "SECONDARY", fields=("mail",))],
        "orderId": [key("UNIQUE", "ORDER")],
    },
}
ids, mails = st.sampled_from(["1", "2", "3"]), st.sampled_from(["a@x.org", "b@x.org", ""])
names = st.sampled_from(["Ada", "Bob", ""])
customers = st.fixed_dictionaries({"id": ids, "mail": mails, "first": names})
orders = st.fixed_dictionaries({"id": ids, "who": ids | st.just(""), "mail": mails, "city": names, "first": names})
some_objects = st.tuples(st.sampled_from(["Crm", "Prior", "Visits"]), customers) | st.tuples(st.just("Orders"), orders)
groups = st.lists(st.lists(some_objects, max_size=8), max_size=4)

_numbers = count(1)


def make_shop(store: Store) -> ObjectShop:
    shop = ObjectShop(store, make_domain(store, f"shop-{next(_numbers)}"))
    shop.define("Crm", CRM)
    shop.define("Prior", CRM, SourcePriority=1)
    shop.define("Visits", {**CRM, "AllowProfileCreation": False})
    shop.define("Orders", ORDERS)
    return shop


def put_group(shop: ObjectShop, group: list[tuple[str, dict[str, str]]]) -> list[bool]:
    calls = [(name, [json.dumps(content)]) for name, content in group]
    results = shop.at.write(shop.store, shop.domain, put_objects_of_calls, calls)
    return [isinstance(call, list) and call[0].error is None for call in results]


def state(shop: ObjectShop) -> Any:
    """Return everything that the store has of the domain, without the numbers that are given out.

    The index by unique key follows from the objects; it is compared with them.
    """
    domain_id = shop.domain.domain_id
    profile, index, held, stored = tables.profile, tables.profile_key, tables.held_key, tables.profile_object
    with shop.store.read() as connection:
        profiles = connection.execute(
            select(profile).where(profile.c.domain_id == domain_id).order_by(profile.c.pid)
        ).mappings()
        rows = [dict(one) for one in profiles]
        objects = connection.execute(
            select(stored).where(stored.c.domain_id == domain_id).order_by(stored.c.object_no)
        ).all()
        place = {row["pid"]: at for at, row in enumerate(rows)}
        number = {one.object_no: at for at, one in enumerate(objects)}
        keys = sorted(
            (one.name, one.value, place[one.pid])
            for one in connection.execute(select(index).where(index.c.domain_id == domain_id))
        )
        holders = sorted(
            (one.name, one.value, place[one.pid], number.get(int(one.holder.removeprefix("o")), -1))
            for one in connection.execute(select(held).where(held.c.pid.in_(place)))
        )
        unique = tables.object_unique
        entries = connection.execute(select(unique).where(unique.c.domain_id == domain_id)).all()
        in_full = object_rows.list_objects_of_profiles(connection, domain_id, list(place))
        assert {(one.hash, one.object_no) for one in entries} == {
            (one_hash, one.object_no) for one in in_full for one_hash in one.hashes
        }
        changes = connection.execute(
            select(tables.profile_change.c.number, tables.profile_change.c.first_pid)
            .where(tables.profile_change.c.domain_id == domain_id)
            .order_by(tables.profile_change.c.number)
        ).all()
    names = [name for name in rows[0] if name not in ("pid", "domain_id", "profile_id", "sources")] if rows else []
    return (
        [[row[name] for name in names] for row in rows],
        [sorted((number[one[0]], *map(tuple, one[4:])) for one in row["sources"] or ()) for row in rows],
        [(place[one.pid], one.content if one.version else "", one.made_profile) for one in objects],
        keys,
        holders,
        [(one.number, place.get(one.first_pid)) for one in changes],
        shop.counts(),
        [(one.object_type, one.content, one.attempts) for one in shop.letters()],
    )


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
@budgets.STATEMENTS
@given(groups)
def test_objects_of_a_group_give_what_they_give_one_after_the_other(
    store: Store, groups: list[list[tuple[str, dict[str, str]]]]
) -> None:
    alone, together = make_shop(store), make_shop(store)

    singly = [put_group(alone, [one])[0] for group in groups for one in group]
    in_groups = [done for group in groups for done in put_group(together, group)]

    assert singly == in_groups
    assert state(alone) == state(together)


def test_a_group_on_any_engine_sees_what_its_first_objects_have_made(store: Store) -> None:
    alone, together = make_shop(store), make_shop(store)
    group = [
        ("Visits", {"id": "1", "mail": "", "first": ""}),
        ("Crm", {"id": "1", "mail": "a@x.org", "first": "Ada"}),
        ("Orders", {"id": "1", "who": "1", "mail": "", "city": "Bern", "first": ""}),
        ("Orders", {"id": "2", "who": "", "mail": "A@x.org", "city": "", "first": "Bob"}),
        ("Prior", {"id": "1", "mail": "b@x.org", "first": "Eve"}),
        ("Crm", {"id": "1", "mail": "a@x.org", "first": "Ada"}),
        ("Orders", {"id": "1", "who": "2", "mail": "", "city": "Rome", "first": ""}),
        ("Nothing", {"id": "1"}),
        ("Visits", {"id": "1", "mail": "", "first": ""}),
        ("Orders", {"id": "1", "who": "2", "mail": "", "city": "Oslo", "first": "Zoe"}),
    ]

    results = put_group(together, group)
    for one in group:
        put_group(alone, [one])

    assert results == [True] * 7 + [False, True, True]
    assert state(alone) == state(together)
    # The second customer is unknown, so the order stays with the first.
    assert together.counts() == (1, 7)
    assert together.letters() == []
