"""Lists of row numbers in the change log: which profiles a change is of."""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Sequence
from itertools import accumulate, chain, pairwise

# Distances between neighbours are small numbers in eight bytes each, so the quickest level shrinks them to a tenth.
_LEVEL = 1


def pack_row_numbers(numbers: Sequence[int]) -> bytes:
    """Pack ascending row numbers without repeats; empty if they are a whole range."""
    if not numbers or numbers[-1] - numbers[0] + 1 == len(numbers):
        return b""
    return zlib.compress(array("Q", (high - low for low, high in pairwise(numbers))).tobytes(), _LEVEL)


def unpack_row_numbers(first: int, last: int, packed: bytes) -> Sequence[int]:
    """Return the row numbers of a change, ascending.

    Args:
        first: the lowest of them.
        last: the highest.
        packed: what ``pack_row_numbers`` returned for them.
    """
    if not packed:
        return range(first, last + 1)
    distances = array("Q")
    distances.frombytes(zlib.decompress(packed))
    return list(accumulate(chain((first,), distances)))
