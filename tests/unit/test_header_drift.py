"""How the header of a file differs from that which a mapping was made for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from openprofiles.uploads.failures.own_columns import OWN_COLUMNS
from openprofiles.uploads.mappings.header_drift import HeaderDrift, compare_headers

HEADERS = st.lists(st.sampled_from(["Email", "email", "Name", "Tier", "Notes", "", " ", OWN_COLUMNS[0]]) | st.text())


def test_missing_and_new_columns_are_told_apart() -> None:
    drift = compare_headers(["Email", "Name"], ["Email", "Name", "Notes"], ["E-mail", "Name", "Tier", ""])

    assert drift == HeaderDrift(missing_mapped=("Email",), missing_other=("Notes",), new=("E-mail", "Tier"))
    assert drift


def test_another_order_and_the_columns_of_the_file_of_failed_rows_are_no_drift() -> None:
    assert not compare_headers(["Email"], ["Email", "Name"], ["Name", "Email", *OWN_COLUMNS])


@given(HEADERS, HEADERS, st.data())
def test_what_is_new_in_one_direction_is_missing_in_the_other(
    before: list[str], now: list[str], data: st.DataObject
) -> None:
    mapped = data.draw(st.lists(st.sampled_from(before), unique=True)) if before else []

    there, back = compare_headers(mapped, before, now), compare_headers([], now, before)

    missing = {*there.missing_mapped, *there.missing_other}
    assert set(there.missing_mapped) <= set(mapped)
    assert missing - set(back.new) <= {header for header in mapped if not header.strip() or header in OWN_COLUMNS}
    assert set(back.new) <= missing
    assert set(there.new) == set(back.missing_other)
    assert not missing & set(there.new)
    assert not compare_headers(mapped, before, before)
