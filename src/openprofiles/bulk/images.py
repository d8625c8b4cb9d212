"""Keep what profiles are before a job changes them, so that it can be undone.

A chunk that changes profiles writes with it an image of what it changes: for each profile its row number, the columns
of the written fields, which fields were set by hand, and the columns that every change writes. Its revision shows later
whether something else has changed the profile since. New profiles need no image.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.ipc

from openprofiles.bulk.stored_values import column_of
from openprofiles.facts.precedence import PROTECTED

_COMPRESSION = "lz4"


def image_columns(paths: Iterable[str]) -> list[str]:
    """List the text columns of the table ``profile`` that these fields are in, and ``origins``."""
    return [*dict.fromkeys(map(column_of, paths)), "origins"]


def without_protected(rows: pa.Table) -> pa.Table:
    """Return rows with ``origins`` as the profiles keep it."""
    origins = rows["origins"].to_pylist() if rows["origins"].null_count < rows.num_rows else []
    if not any(text is not None and f'"{PROTECTED}' in text for text in origins):
        return rows
    kept = [None if text is None else _kept_origins(text) for text in origins]
    return rows.set_column(rows.schema.get_field_index("origins"), "origins", pa.array(kept, pa.string()))


def _kept_origins(text: str) -> str | None:
    paths = [path for path in json.loads(text) if not path.startswith(PROTECTED)]
    return json.dumps(paths) if paths else None


def pack_rows(rows: pa.Table) -> bytes:
    """Pack the rows of an image: pid, ``image_columns`` and ``NUMBERS``."""
    stream = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=_COMPRESSION)
    with pa.ipc.new_stream(stream, rows.schema, options=options) as writer:
        writer.write_table(rows)
    content: bytes = stream.getvalue().to_pybytes()
    return content


def unpack_images(contents: Iterator[bytes]) -> Iterator[pa.Table]:
    """Yield the rows of these images, an image at a time."""
    for content in contents:
        with pa.ipc.open_stream(content) as stream:
            yield stream.read_all()
