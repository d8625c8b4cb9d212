"""Split one CSV record into its cells.

The rules are those of the record scanner (`records`): RFC 4180, by default with a comma and a double quote; a quote
opens a quoted cell only as the very first character of the cell, and is ordinary data anywhere else outside quotes.
A load splits only odd records here; DuckDB reads the others (``uploads.loading.stage``).
"""

from openprofiles.uploads.reading.dialect import COMMAS, Dialect, quoted_cell_pattern


class MalformedQuotesError(ValueError):
    """A quoted cell is not closed, or its closing quote is not followed by a delimiter or the end of the record.

    `cell_number` counts the cells of the record from 1.
    """

    def __init__(self, cell_number: int) -> None:
        super().__init__(
            f"cell {cell_number} of the record starts with a quote whose closing quote does not end the cell; "
            "write a quote inside a quoted cell twice"
        )
        self.cell_number = cell_number


def split_record(record: bytes, dialect: Dialect = COMMAS) -> list[str]:
    """Return the cells of one record, without the quotes around them; never an empty list.

    `record` holds the bytes of exactly one record, without its line end, as the scanner delimits it.

    Raises MalformedQuotesError when a quoted cell is malformed, and UnicodeDecodeError when the record is not UTF-8.
    """
    return split_text(record.decode("utf-8"), dialect)


def split_text(text: str, dialect: Dialect = COMMAS) -> list[str]:
    """Return the cells of one record that is text already; as `split_record` otherwise."""
    delimiter, quote = dialect.delimiter, dialect.quote
    if quote is None or quote not in text:
        return text.split(delimiter)
    quoted_cell = quoted_cell_pattern(quote)
    cells: list[str] = []
    start = 0
    while True:
        if text.startswith(quote, start):
            quoted = quoted_cell.match(text, start)
            if quoted is None:
                raise MalformedQuotesError(len(cells) + 1)
            end = quoted.end()
            if end < len(text) and text[end] != delimiter:
                raise MalformedQuotesError(len(cells) + 1)
            cells.append(quoted[1].replace(quote * 2, quote))
        else:
            end = text.find(delimiter, start)
            if end == -1:
                end = len(text)
            cells.append(text[start:end])
        if end == len(text):
            return cells
        start = end + 1
