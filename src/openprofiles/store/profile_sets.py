"""Sets of profiles, kept as bits: one for each row number, 65,536 to a row of the table."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from itertools import groupby

import numpy as np
import numpy.typing as npt
from sqlalchemy import ColumnElement, and_, bindparam, delete, insert, select, update
from sqlalchemy.engine import Connection

from openprofiles.store.tables import profile_set as table

CHUNK_BITS = 16
CHUNK_SIZE = 1 << CHUNK_BITS
# Most sets have few profiles in a chunk, or nearly all, and the quickest level finds both.
_LEVEL = 1


class SetOwner(StrEnum):
    """What a set is of."""

    # The members of a segment when its changes were last looked at; the number is that of the definition.
    SUBSCRIPTION = "subscription"
    # The members of a segment in an export; the number is that of the job.
    SNAPSHOT = "snapshot"


def members_among(
    connection: Connection, domain_id: int, owner: SetOwner, number: int, pids: Collection[int]
) -> set[int]:
    """Return which of these row numbers are in a set."""
    chunks = _read_chunks(connection, domain_id, owner, number, {pid >> CHUNK_BITS for pid in pids})
    return {pid for pid in pids if (bits := chunks.get(pid >> CHUNK_BITS)) is not None and bits[pid % CHUNK_SIZE]}


def chunk_members(connection: Connection, domain_id: int, owner: SetOwner, number: int, chunk: int) -> set[int]:
    """Return the row numbers of a set in one chunk."""
    return set(_numbers(chunk, _read_chunks(connection, domain_id, owner, number, {chunk}).get(chunk)))


def set_members(connection: Connection, domain_id: int, owner: SetOwner, number: int) -> list[int]:
    """Return all row numbers of a set, ascending."""
    query = select(table.c.chunk, table.c.bits).where(_is_set(domain_id, owner, number)).order_by(table.c.chunk)
    return [pid for chunk, bits in connection.execute(query) for pid in _numbers(chunk, _unpacked(bits))]


def change_members(
    connection: Connection,
    domain_id: int,
    owner: SetOwner,
    number: int,
    *,
    added: Iterable[int] = (),
    removed: Iterable[int] = (),
) -> None:
    """Add row numbers to a set, and remove others."""
    changes = sorted([(pid, True) for pid in added] + [(pid, False) for pid in removed])
    by_chunk = {
        chunk: list(of_chunk) for chunk, of_chunk in groupby(changes, key=lambda change: change[0] >> CHUNK_BITS)
    }
    known = _read_chunks(connection, domain_id, owner, number, by_chunk)
    for chunk, of_chunk in by_chunk.items():
        bits = known.get(chunk)
        is_new = bits is None
        if bits is None:
            bits = np.zeros(CHUNK_SIZE, np.uint8)
        for is_added in (True, False):
            bits[[pid % CHUNK_SIZE for pid, is_of in of_chunk if is_of == is_added]] = is_added
        packed = _packed(bits)
        key = {"domain_id": domain_id, "owner": owner.value, "number": number, "chunk": chunk}
        if is_new:
            connection.execute(insert(table).values(**key, bits=packed))
        elif bits.any():
            connection.execute(
                update(table)
                .where(_is_set(domain_id, owner, number), table.c.chunk == bindparam("of_chunk"))
                .values(bits=bindparam("new_bits")),
                {"of_chunk": chunk, "new_bits": packed},
            )
        else:
            connection.execute(delete(table).where(_is_set(domain_id, owner, number), table.c.chunk == chunk))


def write_set(
    connection: Connection, domain_id: int, owner: SetOwner, number: int, pids: npt.NDArray[np.int64]
) -> None:
    """Write a new set of row numbers, which are ascending."""
    chunks = pids >> CHUNK_BITS
    starts = np.flatnonzero(np.diff(chunks, prepend=-1))
    for of_chunk in np.split(pids, starts[1:]) if len(pids) else ():
        bits = np.zeros(CHUNK_SIZE, np.uint8)
        bits[of_chunk % CHUNK_SIZE] = 1
        key = {"domain_id": domain_id, "owner": owner.value, "number": number, "chunk": int(of_chunk[0] >> CHUNK_BITS)}
        connection.execute(insert(table).values(**key, bits=_packed(bits)))


def remove_set(connection: Connection, domain_id: int, owner: SetOwner, number: int) -> None:
    """Remove a set."""
    connection.execute(delete(table).where(_is_set(domain_id, owner, number)))


def _is_set(domain_id: int, owner: SetOwner, number: int) -> ColumnElement[bool]:
    return and_(table.c.domain_id == domain_id, table.c.owner == owner.value, table.c.number == number)


def _read_chunks(
    connection: Connection, domain_id: int, owner: SetOwner, number: int, chunks: Collection[int]
) -> Mapping[int, npt.NDArray[np.uint8]]:
    if not chunks:
        return {}
    of_set = _is_set(domain_id, owner, number)
    # Few at a time, or else all in between.
    query = select(table.c.chunk, table.c.bits).where(of_set, table.c.chunk.between(min(chunks), max(chunks)))
    return {chunk: _unpacked(bits) for chunk, bits in connection.execute(query) if chunk in chunks}


def _packed(bits: npt.NDArray[np.uint8]) -> bytes:
    return zlib.compress(np.packbits(bits).tobytes(), _LEVEL)


def _unpacked(bits: bytes) -> npt.NDArray[np.uint8]:
    return np.unpackbits(np.frombuffer(zlib.decompress(bits), np.uint8))


def _numbers(chunk: int, bits: npt.NDArray[np.uint8] | None) -> Iterable[int]:
    if bits is None:
        return ()
    numbers: list[int] = (np.flatnonzero(bits) + (chunk << CHUNK_BITS)).tolist()
    return numbers
