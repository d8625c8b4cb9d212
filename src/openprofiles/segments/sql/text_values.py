"""Write a checked query for DuckDB, so that it reads texts as Spark does.

Values of profiles and objects are texts. Where Spark expects a number or a date it reads a text as one, and as null if
it is not one; DuckDB refuses some of these texts, and fails at others. So each such text is cast, to null if need be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.schema import MappingSchema

from openprofiles.segments.sql.functions import MOMENTS, OF_NUMBERS
from openprofiles.segments.sql.tables import TEXT

_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ)
_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Neg)
_TEXT_TYPES = exp.DataType.TEXT_TYPES
_NUMBER_TYPES = exp.DataType.NUMERIC_TYPES
_MOMENT_TYPES = exp.DataType.TEMPORAL_TYPES
_ZONED_TYPES = (exp.DataType.Type.TIMESTAMPTZ, exp.DataType.Type.TIMESTAMPLTZ)
_DOUBLE, _INTEGER, _BOOLEAN, _TIMESTAMP, _DATE = "DOUBLE", "INT", "BOOLEAN", "TIMESTAMP", "DATE"

# What some nodes read their arguments as.
_READ_AS: tuple[tuple[tuple[type[exp.Expr], ...], tuple[str, ...], str], ...] = (
    (_ARITHMETIC, ("this", "expression"), _DOUBLE),
    (OF_NUMBERS, ("this",), _DOUBLE),
    ((exp.Extract,), ("expression",), _TIMESTAMP),
    (tuple(set(MOMENTS) - {exp.Extract}), ("this",), _TIMESTAMP),
    ((exp.AddMonths, exp.TsOrDsAdd, exp.Left, exp.Right), ("expression",), _INTEGER),
    ((exp.Substring,), ("start", "length"), _INTEGER),
    ((exp.SplitPart,), ("part_index",), _INTEGER),
    ((exp.Where, exp.Having, exp.If, exp.Not), ("this",), _BOOLEAN),
    ((exp.Connector,), ("this", "expression"), _BOOLEAN),
)


def translate(tree: exp.Query, types: Mapping[str, Mapping[str, str]], now: datetime) -> str:
    """Write a query in DuckDB's dialect.

    Args:
        tree: with the names of tables and columns as they are in DuckDB; it is changed.
        types: of columns, by table.
        now: what the current date and time are.
    """
    moment = now.astimezone(UTC).replace(tzinfo=None)
    for node in _from_below(tree):
        _replace_clock(node, moment)
    schema = MappingSchema({table: dict(columns) for table, columns in types.items()}, dialect="spark", normalize=False)
    annotate_types(tree, schema=schema, dialect="spark")
    for node in _from_below(tree):
        _read_texts(node)
    written = sqlglot.parse_one(tree.sql(dialect="duckdb", comments=False), read="duckdb")
    for node in _from_below(written):
        _fit_to_duckdb(node)
    return written.sql(dialect="duckdb", comments=False)


def _from_below(tree: exp.Expr) -> list[exp.Expr]:
    """List the nodes of a tree, the parts of each one before itself."""
    return list(tree.walk())[::-1]


def _replace_clock(node: exp.Expr, moment: datetime) -> None:
    """Replace functions of the time, and those that the parser does not know."""
    if isinstance(node, exp.CurrentDate):
        node.replace(exp.cast(exp.Literal.string(moment.date().isoformat()), _DATE))
    elif isinstance(node, exp.CurrentTimestamp) or (isinstance(node, exp.Anonymous) and node.name.lower() == "now"):
        node.replace(exp.cast(exp.Literal.string(moment.isoformat(sep=" ")), _TIMESTAMP))
    elif isinstance(node, exp.Anonymous):
        is_null = exp.Is(this=node.expressions[0], expression=exp.Null())
        node.replace(exp.paren(is_null if node.name.lower() == "isnull" else exp.not_(is_null)))


def _read_texts(node: exp.Expr) -> None:
    """Add casts of the texts that a node reads as numbers, moments or truth values."""
    if isinstance(node, exp.Between):
        _align([node.this, node.args["low"], node.args["high"]])
    elif isinstance(node, exp.In) and node.expressions:
        _align([node.this, *node.expressions])
    elif isinstance(node, _COMPARISONS):
        _align([node.this, node.expression])
    elif isinstance(node, exp.Add | exp.Sub) and isinstance(node.expression, exp.Interval):
        _cast_text(node.this, _TIMESTAMP)
    elif isinstance(node, exp.Coalesce | exp.Greatest | exp.Least):
        _align_as_texts([node.this, *node.expressions], node)
    elif isinstance(node, exp.Nullif):
        _align([node.this, node.expression])
    elif isinstance(node, exp.Case):
        branches = [one.args["true"] for one in node.args["ifs"]]
        _align_as_texts([*branches, node.args.get("default")], node)
    else:
        for classes, names, type_name in _READ_AS:
            if isinstance(node, classes):
                for operand in (node.args.get(name) for name in names):
                    if isinstance(operand, exp.Expr):
                        _cast_text(operand, type_name)
    if isinstance(node, exp.If) and not isinstance(node.parent, exp.Case):
        _align_as_texts([node.args.get("true"), node.args.get("false")], node)
    if isinstance(node, OF_NUMBERS):
        node.type = exp.DataType.build(_DOUBLE)
    _fit_to_spark(node)


def _fit_to_spark(node: exp.Expr) -> None:
    """Replace a node in which the translation does not follow Spark."""
    if isinstance(node, exp.Quantile):
        # Spark's percentile lies between two values if need be, the approximate one does not.
        name = "QUANTILE_DISC" if isinstance(node, exp.ApproxQuantile) else "QUANTILE_CONT"
        _replace(node, exp.Anonymous(this=name, expressions=[node.this, node.args["quantile"]]), _DOUBLE)
    elif isinstance(node, exp.IntDiv):
        quotient = exp.Div(this=node.this, expression=node.expression)
        _replace(node, exp.Anonymous(this="TRUNC", expressions=[quotient]), _DOUBLE)
    elif _is_cast_to_integer(node) and _is_of(node.this, _TEXT_TYPES | _NUMBER_TYPES):
        # DuckDB would round.
        number = exp.TryCast(this=node.this.copy(), to=exp.DataType.build(_DOUBLE))
        node.set("this", exp.Anonymous(this="TRUNC", expressions=[number]))
    elif isinstance(node, exp.Like | exp.ILike) and not isinstance(node.parent, exp.Escape):
        node.replace(exp.Escape(this=node.copy(), expression=exp.Literal.string("\\")))


def _is_cast_to_integer(node: exp.Expr) -> bool:
    return isinstance(node, exp.Cast) and node.to.this in exp.DataType.INTEGER_TYPES


def _replace(node: exp.Expr, other: exp.Expr, type_name: str) -> None:
    other.type = exp.DataType.build(type_name)
    node.replace(other)


def _align(operands: list[exp.Expr]) -> None:
    """Add casts of texts next to a number, a moment or a truth value."""
    if any(_is_of(one, _NUMBER_TYPES) for one in operands):
        wanted = _DOUBLE
    elif any(_is_of(one, _MOMENT_TYPES) for one in operands):
        wanted = _TIMESTAMP
    elif any(_is_of(one, {exp.DataType.Type.BOOLEAN}) for one in operands):
        wanted = _BOOLEAN
    else:
        return
    for one in operands:
        _cast_text(one, wanted)


def _align_as_texts(operands: Sequence[exp.Expr | None], whole: exp.Expr) -> None:
    """Add casts of numbers to texts where one of them is the result: the whole is a text if one of them is."""
    given = [one for one in operands if one is not None]
    if not any(_is_of(one, _TEXT_TYPES) for one in given):
        return
    whole.type = exp.DataType.build(TEXT)
    for one in given:
        if _is_of(one, _NUMBER_TYPES) or _is_of(one, _MOMENT_TYPES):
            cast = exp.cast(one.copy(), TEXT)
            cast.type = whole.type
            one.replace(cast)


def _is_of(node: exp.Expr, types: AbstractSet[Any]) -> bool:
    return node.type is not None and node.type.this in types


def _cast_text(node: exp.Expr, type_name: str) -> None:
    if isinstance(node, exp.Distinct):
        for one in node.expressions:
            _cast_text(one, type_name)
    elif _is_of(node, _TEXT_TYPES):
        inner = node.copy()
        cast = exp.TryCast(this=inner, to=exp.DataType.build(type_name))
        cast.type = cast.args["to"]
        node.replace(cast)


def _fit_to_duckdb(node: exp.Expr) -> None:
    """Change a node in which the two differ after the translation."""
    if type(node) is exp.Cast:
        # Spark gives null where a text cannot be cast.
        node.replace(exp.TryCast(**node.args))
    elif isinstance(node, exp.DataType) and node.this in _ZONED_TYPES:
        node.replace(exp.DataType.build(_TIMESTAMP))
    elif isinstance(node, exp.DayOfWeek):
        # Spark begins with 1 on Sunday, DuckDB with 0.
        node.replace(exp.paren(exp.Add(this=node.copy(), expression=exp.Literal.number(1))))
