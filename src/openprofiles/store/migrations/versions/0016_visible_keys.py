"""Remove invisible characters from the keys of email addresses, phone numbers and accounts, and keys of placeholders.

A key is replaced only if it is there in its old form: one that DeleteProfileKey removed stays away. Only values with
other characters than ASCII, placeholders, and phone numbers with a .0 are looked at one by one. The step is made in
parts, each of which is committed. If it is interrupted, the next attempt finds the keys that are left, since no key in
its new form is replaced again. A program of the last release that still runs finds all keys except the replaced ones;
it must not write meanwhile.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Any

import phonenumbers
import pyarrow as pa
import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

# As ``profiles`` had them when this step was written.
BLANKS = (
    "\t\n\x0b\x0c\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200C))) + "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
NO_BREAK_BLANKS = "\xa0\u2007\u202f"
PLACEHOLDERS = (
    *("null", "(null)", "<null>", "[null]", "\\n", "nil", "none", "(none)", "n/a", "n.a.", "na", "nan", "#n/a"),
    *("#null!", "#value!", "#ref!", "#name?", "#div/0!", "#num!", "undefined", "unknown", "tbd", "tba"),
    *("-", "--", "---", "?", "."),
)
EMAIL, ACCOUNT, PHONE = "_email", "_account", "_phone"
# In SQL of both engines: values that may change.
QUOTED = ", ".join(f"'{word}'" for word in PLACEHOLDERS)
IS_CANDIDATE = f"(octet_length(value) <> length(value) or value in ({QUOTED}))"
PHONE_COLUMNS = ("phone_number", "mobile_phone_number", "home_phone_number", "business_phone_number")
COLUMNS = {
    EMAIL: ("email_address", "personal_email_address", "business_email_address"),
    ACCOUNT: ("account_number",),
    PHONE: PHONE_COLUMNS,
}
HAS_CANDIDATE = " or ".join(
    f"octet_length({column}) <> length({column}) or {column} like '%.0%' or {column} like '%/0!%'"
    for column in PHONE_COLUMNS
)
DECIMAL = re.compile(r"\+?[0-9]+\.0", re.ASCII)
PLAIN_US = re.compile(r"(?:\+?1)?[2-9][0-9]{9}", re.ASCII)
PHONE_PUNCTUATION = str.maketrans("", "", " ().-")

ROWS_PER_PART = 20_000


def upgrade() -> None:
    # The whole step is one transaction if the caller has not said how to end a part.
    context = op.get_context()
    end_part = context.config.attributes.get("end_part", lambda: None) if context.config else lambda: None
    for part in (replace_keys, replace_phone_keys, replace_pending_keys, replace_absent_keys):
        for _ in part(op.get_bind()):
            end_part()


# The new forms


def text_form(name: str, form: str) -> str | None:
    """Return the new form of an email address or an account number from its old one; None if it gives no key."""
    dropped = NO_BREAK_BLANKS if name == EMAIL else ""
    text = without(form, dropped).strip(BLANKS)
    text = unicodedata.normalize("NFC", "".join(map(str.lower, unicodedata.normalize("NFC", text))))
    return None if text in PLACEHOLDERS else text or None


def without(text: str, dropped: str = "") -> str:
    """Remove format characters, and others."""
    if text.isascii():
        return text
    return "".join(char for char in text if unicodedata.category(char) != "Cf" and char not in dropped)


def visible_phone(text: str) -> str | None:
    """Return the part of a phone number that its new key is made of; None if it gives no key."""
    number = without(text).strip(BLANKS)
    if DECIMAL.fullmatch(number):
        return number[:-2]
    return None if number.lower() in PLACEHOLDERS else number


def new_phone(text: str, region: str) -> str | None:
    number = visible_phone(text)
    return None if number is None else phone_form(number, region)


def old_phone(text: str, region: str) -> str | None:
    if region == "US" and text.endswith(".0") and PLAIN_US.fullmatch(text[:-2]) and "2" <= text[0] <= "9":
        # No number of this country has eleven digits. The library needs fifty times as long to say so.
        return f"{text[:-2]}0"
    number = without(text).strip(BLANKS)
    if region == "US" and number in text and PLAIN_US.fullmatch(number.translate(PHONE_PUNCTUATION)):
        # The library, too, leaves out what is before and after the number.
        return phone_form(number, region)
    return phone_form(text, region)


def replaced_phones(texts: Iterable[str | None], region: str) -> dict[str, str | None]:
    """Return the keys of these phone numbers that are replaced, with their new forms."""
    forms = {}
    for text in filter(None, texts):
        number = visible_phone(text)
        if number != text.strip(BLANKS):
            old, new = old_phone(text, region), number and phone_form(number, region)
            if old is not None and old != new:
                forms[old] = new
    return forms


def phone_form(text: str, region: str) -> str | None:
    """Return the key of a phone number."""
    if region == "US":
        bare = text.strip(BLANKS).translate(PHONE_PUNCTUATION)
        if PLAIN_US.fullmatch(bare):
            return "+1" + bare[-10:]
    try:
        number = phonenumbers.parse(text, region)
        if phonenumbers.is_possible_number(number):
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    except phonenumbers.NumberParseException:
        pass
    digits = [unicodedata.digit(char, None) for char in text]
    return "".join(str(digit) for digit in digits if digit is not None) or None


# The index, and the keys that were given


def replace_keys(connection: sa.Connection) -> Iterator[None]:
    """Replace the keys whose new form follows from the old one, in the index and among those that were given."""
    for name in (EMAIL, ACCOUNT):
        for domain_id in read_regions(connection):
            owner = {"domain_id": domain_id, "name": name}
            yield from replace_in(connection, "profile_key", owner, ("value", "pid"))
    yield from replace_in(connection, "added_key", {}, ("pid", "name", "value"))


def read_regions(connection: sa.Connection) -> dict[int, str]:
    rows = connection.execute(sa.text("select domain_id, phone_region from domain where deleted_at is null"))
    return {row.domain_id: row.phone_region for row in rows}


def replace_in(connection: sa.Connection, table: str, owner: Mapping[str, Any], order: Sequence[str]) -> Iterator[None]:
    """Replace the keys of email addresses and accounts in a table.

    Args:
        owner: the first columns of its primary key, with their values.
        order: the others.
    """
    change = Change(connection, table)
    for rows in parts(connection, table, owner, order, f"name in ('{EMAIL}', '{ACCOUNT}') and {IS_CANDIDATE}"):
        old = [{**owner, **row} for row in rows]
        if change.write((change.key_of(row), text_form(row["name"], row["value"])) for row in old):
            yield


def replace_phone_keys(connection: sa.Connection) -> Iterator[None]:
    """Replace the keys of phone numbers in the index, whose new forms follow from the fields of the profiles only."""
    regions = read_regions(connection)
    change = Change(connection, "profile_key")
    for rows in parts(connection, "profile", {}, ("pid",), f"({HAS_CANDIDATE})", ("domain_id", *PHONE_COLUMNS)):
        forms = {
            row["pid"]: replaced_phones((row[column] for column in PHONE_COLUMNS), regions[row["domain_id"]])
            for row in rows
            if row["domain_id"] in regions
        }
        given = read_given(connection, PHONE, [pid for pid in forms if forms[pid]])
        changes: list[tuple[tuple[Any, ...], str | None]] = []
        additions: list[tuple[tuple[Any, ...], str | None]] = []
        for row in rows:
            domain_id, pid = row["domain_id"], row["pid"]
            if of_profile := forms.get(pid):
                kept: Set[str | None] = given.get(pid, NONE)
                # The new key of an only number is another one.
                if sum(row[column] is not None for column in PHONE_COLUMNS) > 1:
                    kept |= new_forms(row, PHONE, regions[domain_id])
                for old, new in of_profile.items():
                    (additions if old in kept else changes).append(((domain_id, PHONE, old, pid), new))
        if change.write(changes) + change.write(additions, keeps_old=True):
            yield


def new_forms(profile: sa.RowMapping, name: str, region: str) -> set[str | None]:
    """Return the new forms of the keys that the fields of a profile give."""
    texts = [text for column in COLUMNS[name] if (text := profile[column])]
    return {new_phone(text, region) if name == PHONE else text_form(name, text) for text in texts}


def read_given(connection: sa.Connection, name: str, pids: Sequence[int]) -> dict[int, set[str]]:
    """Read the keys that were given to profiles, by their row numbers."""
    given: dict[int, set[str]] = {}
    query = sa.text("select pid, value from added_key where name = :name and pid in :pids")
    for some in batches(pids):
        for row in connection.execute(query.bindparams(ALL_PIDS), {"name": name, "pids": some}):
            given.setdefault(row.pid, set()).add(row.value)
    return given


def read_fields(connection: sa.Connection, name: str, pids: Sequence[int]) -> dict[int, sa.RowMapping]:
    """Read the fields that give a key, and the country of phone numbers, of profiles."""
    query = sa.text(
        f"select pid, phone_region, {', '.join(COLUMNS[name])} "
        "from profile join domain using (domain_id) where pid in :pids"
    )
    found: dict[int, sa.RowMapping] = {}
    for some in batches(pids):
        rows = connection.execute(query.bindparams(ALL_PIDS), {"pids": some}).mappings()
        found |= {row["pid"]: row for row in rows}
    return found


ALL_PIDS: sa.BindParameter[list[int]] = sa.bindparam("pids", expanding=True)


def batches(pids: Iterable[int]) -> Iterator[list[int]]:
    ordered = sorted(set(pids))
    for start in range(0, len(ordered), 500):
        yield ordered[start : start + 500]


def parts(
    connection: sa.Connection,
    table: str,
    owner: Mapping[str, Any],
    order: Sequence[str],
    condition: str,
    columns: Sequence[str] = (),
) -> Iterator[Sequence[sa.RowMapping]]:
    """Yield the rows that fulfill a condition, some at a time.

    Args:
        owner: the first columns of the primary key, with their values.
        order: its other columns.
        columns: further columns to read.
    """
    names = ", ".join(order)
    place = ", ".join(f"cast(:{{0}}_{column} as {TYPES[column]})" for column in order)
    is_owned = " and ".join(["1 = 1", *(f"{column} = :{column}" for column in owner)])
    values = dict(owner)
    source = f"from {table} where {is_owned}"
    while True:
        end = connection.execute(
            sa.text(f"select {names} {source} order by {names} limit 1 offset {ROWS_PER_PART - 1}"), values
        ).one_or_none()
        here = source
        if end is not None:
            values |= {f"end_{column}": value for column, value in zip(order, end, strict=True)}
            here += f" and ({names}) <= ({place.format('end')})"
        query = f"select {', '.join((*order, *columns))} {here} and {condition} order by {names}"
        if rows := connection.execute(sa.text(query), values).mappings().all():
            yield rows
        if end is None:
            return
        values = dict(owner) | {f"after_{column}": value for column, value in zip(order, end, strict=True)}
        source = f"from {table} where {is_owned} and ({names}) > ({place.format('after')})"


NONE: Set[str | None] = frozenset()
TYPES = {"domain_id": "bigint", "upload_job_id": "bigint", "name": "text", "value": "text", "pid": "bigint"}
KEY_COLUMNS = {
    "profile_key": ("domain_id", "name", "value", "pid"),
    "added_key": ("pid", "name", "value"),
    "undo_absent_key": ("upload_job_id", "name", "value", "pid"),
}


class Change:
    """The statements that replace keys in a table, in the words of the driver: there may be millions of them."""

    def __init__(self, connection: sa.Connection, table: str) -> None:
        mark = "%s" if connection.dialect.name == "postgresql" else "?"
        self._connection = connection
        self._columns = KEY_COLUMNS[table]
        self._place = self._columns.index("value")
        is_old = " and ".join(f"{column} = {mark}" for column in self._columns)
        new = ", ".join(f"cast({mark} as {TYPES[column]})" for column in self._columns)
        self._insert = (
            f"insert into {table} ({', '.join(self._columns)}) select {new} "
            f"where exists (select 1 from {table} where {is_old}) on conflict do nothing"
        )
        self._delete = f"delete from {table} where {is_old}"

    def key_of(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(row[column] for column in self._columns)

    def write(self, changes: Iterable[tuple[tuple[Any, ...], str | None]], *, keeps_old: bool = False) -> int:
        """Replace those keys that are there; return how many rows were written.

        Args:
            changes: keys, as rows of the table, with the new form of each; None removes the row.
            keeps_old: leave the rows, and add those of the new forms.
        """
        place = self._place
        changed = [(old, new) for old, new in changes if new != old[place]]
        written = 0
        if added := [(*old[:place], new, *old[place + 1 :], *old) for old, new in changed if new is not None]:
            # In the order of the index, so that each of its pages is written once.
            written += self._connection.exec_driver_sql(self._insert, sorted(added)).rowcount
        if changed and not keeps_old:
            written += self._connection.exec_driver_sql(self._delete, sorted(old for old, _ in changed)).rowcount
        return written


# What loads that have not ended, and undos, are still to write


def replace_pending_keys(connection: sa.Connection) -> Iterator[None]:
    """Replace the keys that loads are to add to the index and remove from it."""
    numbers = connection.execute(sa.text("select pending_keys_id from pending_keys order by 1")).scalars().all()
    for number in numbers:
        parameters = {"number": number}
        content = connection.execute(
            sa.text("select changes from pending_keys where pending_keys_id = :number"), parameters
        ).scalar_one()
        with pa.ipc.open_stream(content) as stream:
            table = stream.read_all()
        before = table.to_pylist()
        after = [new for row in replaced_pending(connection, before) for new in row]
        if after != before:
            stream = pa.BufferOutputStream()
            with pa.ipc.new_stream(stream, table.schema) as writer:
                writer.write_table(pa.Table.from_pylist(after, table.schema))
            connection.execute(
                sa.text("update pending_keys set changes = :changes where pending_keys_id = :number"),
                {**parameters, "changes": stream.getvalue().to_pybytes()},
            )
            yield


def replaced_pending(connection: sa.Connection, rows: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Yield what each row becomes."""
    pids_of = {name: [row["pid"] for row in rows if row["name"] == name and may_change(row)] for name in COLUMNS}
    fields = {name: read_fields(connection, name, pids) for name, pids in pids_of.items()}
    given = {name: read_given(connection, name, pids) for name, pids in pids_of.items()}
    for row in rows:
        name, value, pid = row["name"], row["value"], row["pid"]
        profile = fields.get(name, {}).get(pid)
        if profile is None or not may_change(row):
            yield [row]
            continue
        region = profile["phone_region"]
        held = new_forms(profile, name, region)
        if name == PHONE:
            forms = replaced_phones((profile[column] for column in PHONE_COLUMNS), region)
            news = {forms[value]} | held.intersection([value]) if value in forms else {value}
        else:
            news = {text_form(name, value)}
            if not row["added"]:
                # The index now has it for another value too.
                news -= held | given[name].get(pid, set())
        yield [{**row, "value": new} for new in sorted(filter(None, news))]


def may_change(row: Mapping[str, Any]) -> bool:
    if row["name"] == PHONE:
        # The key of a former number is in the index as it was.
        return bool(row["added"])
    return bool(text_form(row["name"], row["value"]) != row["value"])


def replace_absent_keys(connection: sa.Connection) -> Iterator[None]:
    """Replace the keys that an undo is not to add."""
    job_ids = connection.execute(sa.text("select distinct upload_job_id from undo_absent_key")).scalars().all()
    change = Change(connection, "undo_absent_key")
    for job_id in job_ids:
        owner = {"upload_job_id": job_id}
        order = ("name", "value", "pid")
        yield from replace_in(connection, "undo_absent_key", owner, order)
        for rows in parts(connection, "undo_absent_key", owner, order, f"name = '{PHONE}'"):
            absent = {(row["value"], row["pid"]) for row in rows}
            for forms in read_former_phones(connection, job_id, {pid for _, pid in absent}):
                changes = [
                    ((job_id, PHONE, old, pid), new)
                    for pid, of_profile in forms.items()
                    for old, new in of_profile.items()
                    if (old, pid) in absent
                ]
                # Another field may have it in the old form.
                if change.write(changes, keeps_old=True):
                    yield


def read_former_phones(
    connection: sa.Connection, job_id: int, pids: Set[int]
) -> Iterator[dict[int, dict[str, str | None]]]:
    """Yield the keys that are replaced of the phone numbers that profiles had before a load, by row number."""
    region = connection.execute(
        sa.text("select phone_region from upload_job join domain using (domain_id) where upload_job_id = :job_id"),
        {"job_id": job_id},
    ).scalar_one()
    numbers = connection.execute(
        sa.text("select undo_image_id from undo_image where upload_job_id = :job_id order by 1"), {"job_id": job_id}
    ).scalars()
    for number in numbers.all():
        content = connection.execute(
            sa.text("select content from undo_image where undo_image_id = :number"), {"number": number}
        ).scalar_one()
        with pa.ipc.open_stream(content) as stream:
            table = stream.read_all()
        columns = [column for column in PHONE_COLUMNS if column in table.column_names]
        rows = table.select(["pid", *columns]).to_pylist()
        yield {
            row["pid"]: replaced_phones((row[column] for column in columns), region)
            for row in rows
            if row["pid"] in pids
        }
