"""What profiles are before a load changes them, kept so that the load can be undone.

A chunk that changes profiles writes with it an image of what it changes: for each profile its row number, the mapped
columns, which fields were set by hand, and the columns that every change writes. The revision in it tells later whether
something else has changed the profile since. Profiles that a load makes need no image.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.ipc

from openprofiles.uploads.loading.stored_values import column_of
from openprofiles.uploads.mappings.upload_mapping import UploadMapping

# What every change writes, beside the mapped columns.
IMAGE_NUMBERS = ("revision", "updated_at", "expires_at", "last_upload_job")

_COMPRESSION = "lz4"


def image_columns(mapping: UploadMapping) -> list[str]:
    """The text columns of the table ``profile`` that a load with this mapping may change."""
    return [*dict.fromkeys(column_of(field.path) for field in mapping.fields), "origins"]


def pack_image(mapping: UploadMapping, stored: pa.Table) -> bytes:
    """The image of profiles.

    Args:
        stored: pid, ``image_columns`` and ``IMAGE_NUMBERS``, perhaps more.
    """
    rows = stored.select(["pid", *image_columns(mapping), *IMAGE_NUMBERS])
    stream = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=_COMPRESSION)
    with pa.ipc.new_stream(stream, rows.schema, options=options) as writer:
        writer.write_table(rows)
    content: bytes = stream.getvalue().to_pybytes()
    return content


def unpack_images(contents: Iterator[bytes]) -> Iterator[pa.Table]:
    """The rows of these images, an image at a time."""
    for content in contents:
        with pa.ipc.open_stream(content) as stream:
            yield stream.read_all()
