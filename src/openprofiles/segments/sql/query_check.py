"""Check the query of an SQL segment, and translate it: Spark's dialect in, DuckDB's out.

Everything is on a list of what is allowed: parts of the syntax, functions, tables and columns. What is refused is
refused with its line and column. DuckDB never sees the text of the caller, only what is written from the tree.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import OptimizeError, ParseError, SqlglotError, TokenError
from sqlglot.optimizer.scope import Scope, traverse_scope

from openprofiles.errors import InvalidRequest
from openprofiles.logs import EventLogger
from openprofiles.segments.sql.functions import ALLOWED, ALLOWED_BY_NAME
from openprofiles.segments.sql.tables import OWN_COLUMNS, PROFILE_ID, TEXT, SqlTable, plain
from openprofiles.segments.sql.text_values import translate
from openprofiles.uploads.mappings.likely_names import did_you_mean, names_like

MEMBER = "SegmentSqlQuery"

_logger = EventLogger("openprofiles.segments.sql")
# It logs what it cannot read, which may be values of customers.
logging.getLogger("sqlglot").disabled = True

_LONGEST_REASON = 200
_MAX_CHARACTERS = 50_000
_MAX_NODES = 5_000
_MAX_DEPTH = 60
_MAX_JOINS = 12
_MAX_SUBQUERIES = 30
_ATTRIBUTES = "attributes"
_IS_RESOLVED = "resolved"
# What the parser notes of a word.
_PLACE = ("line", "col", "start", "end")

_SYNTAX: frozenset[type[exp.Expr]] = frozenset(
    {
        exp.Add, exp.Alias, exp.All, exp.Any, exp.Between, exp.Boolean, exp.Bracket, exp.Column, exp.CTE, exp.DataType,
        exp.DataTypeParam,
        exp.Distinct, exp.Div, exp.Dot, exp.DPipe, exp.EQ, exp.Escape, exp.Except, exp.Filter, exp.From, exp.Group,
        exp.GT, exp.GTE, exp.Having, exp.Identifier, exp.IgnoreNulls, exp.ILike, exp.In, exp.IntDiv, exp.Intersect,
        exp.Interval, exp.Is, exp.Join, exp.Like, exp.Limit, exp.Literal, exp.LT, exp.LTE, exp.Mod, exp.Mul, exp.Neg,
        exp.NEQ, exp.Not, exp.Null, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Offset, exp.Order, exp.Ordered, exp.Paren,
        exp.Qualify, exp.Select, exp.Star, exp.Sub, exp.Subquery, exp.Table, exp.TableAlias, exp.Tuple, exp.Union,
        exp.Var, exp.Where, exp.Window, exp.WindowSpec, exp.With,
    }
)  # fmt: skip


class SqlFault(InvalidRequest):
    """A query is not valid; the message has the place.

    Args:
        what: what is wrong, without the place.
        line: where it is, from 1; None: it is the query as a whole.
        column: where it is in the line, from 1.
    """

    def __init__(self, what: str, line: int | None, column: int | None) -> None:
        super().__init__(f"{MEMBER}: {what}" + (f" (line {line}, column {column})" if line else ""))
        self.what = what
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class CheckedQuery:
    """A query that may be run.

    Attributes:
        text: in DuckDB's dialect; a column of its result is the id of a profile.
        id_column: the name of that column.
        columns: what it reads, by the name of the table: from the name of the column in DuckDB to where it comes from,
            a column of the table or ``Attributes.<name>``. DuckDB ignores the case of names.
    """

    text: str
    id_column: str
    columns: Mapping[str, Mapping[str, str]]


def check_query(text: str, tables: Sequence[SqlTable], now: datetime) -> CheckedQuery:
    """Check a query and translate it.

    Args:
        now: what the current date and time are in it.

    Raises:
        SqlFault: it is not one query, or has something that is not allowed.
    """
    try:
        tree = _parse(text)
        _check_parts(tree)
        return _Resolver(tables).resolve(tree, now)
    except OptimizeError as error:
        # Such as an alias that is given twice.
        raise _fault(f"{str(error).splitlines()[0][:_LONGEST_REASON].rstrip('.')}.") from error
    except RecursionError as error:
        raise _fault("The query is nested too deeply.") from error
    except (SqlglotError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        # The parser takes functions without their arguments, and then finds them missing.
        _logger.warning("query_not_understood", fault=type(error).__name__)
        raise _fault("The query cannot be read: a function may lack an argument, or have one too many.") from error


def _fault(message: str, line: int | None = None, column: int | None = None) -> SqlFault:
    return SqlFault(message, line, column)


def _fault_at(message: str, node: exp.Expr) -> SqlFault:
    return _fault(message, *_place_of(node))


def _place_of(node: exp.Expr) -> tuple[int, int] | tuple[None, None]:
    """Find the first place in the text that belongs to a node, or near it."""
    around: exp.Expr | None = node
    while around is not None:
        for one in around.walk():
            if "line" in one.meta:
                # The parser notes where a word ends.
                return one.meta["line"], one.meta["col"] - (one.meta["end"] - one.meta["start"])
        around = around.parent
    return None, None


def _parse(text: str) -> exp.Query:
    if len(text) > _MAX_CHARACTERS:
        raise _fault(f"The query has {len(text):,} characters; at most {_MAX_CHARACTERS:,} are allowed.")
    try:
        statements = [one for one in sqlglot.parse(text, read="spark") if one is not None]
    except ParseError as error:
        found: dict[str, Any] = error.errors[0]
        near = found.get("highlight") or ""
        column = (found.get("col") or 0) - max(0, len(near) - 1)
        # Some descriptions name classes of the parser.
        what = found["description"].rstrip(".") if "<class" not in found["description"] else "Something is missing"
        raise _fault(f"{what}, near {near!r}.", found.get("line"), column) from error
    except TokenError as error:
        raise _fault("The query cannot be read: a quote or a comment may not be closed.") from error
    if len(statements) != 1:
        raise _fault(f"Give one query; there are {len(statements)} statements.")
    (tree,) = statements
    if not isinstance(tree, exp.Select | exp.SetOperation):
        raise _fault_at(f"Only SELECT is allowed, and this is {tree.key.upper()}.", tree)
    for select in tree.find_all(exp.Select):
        # They only make Spark faster.
        select.set("hint", None)
    return tree


def _check_parts(tree: exp.Query) -> None:
    joins = subqueries = 0
    for count, node in enumerate(tree.walk(), start=1):
        if count > _MAX_NODES:
            raise _fault(f"The query has more than {_MAX_NODES:,} elements.")
        if isinstance(node, exp.Subquery | exp.Paren | exp.Func | exp.CTE) and _depth_of(node) > _MAX_DEPTH:
            raise _fault_at("The query is nested too deeply.", node)
        _check_part(node)
        joins += isinstance(node, exp.Join)
        subqueries += isinstance(node, exp.Subquery | exp.CTE | exp.Exists)
    if joins > _MAX_JOINS:
        raise _fault(f"The query has {joins} joins; at most {_MAX_JOINS} are allowed.")
    if subqueries > _MAX_SUBQUERIES:
        raise _fault(f"The query has {subqueries} subqueries; at most {_MAX_SUBQUERIES} are allowed.")


def _depth_of(node: exp.Expr) -> int:
    """Count how deep a node is nested; a chain of ``and`` is not."""
    depth, around = 0, node.parent
    while around is not None:
        depth += not isinstance(around, exp.Connector)
        around = around.parent
    return depth


def _check_part(node: exp.Expr) -> None:
    if isinstance(node, exp.Anonymous):
        name = node.name.lower()
        if name not in ALLOWED_BY_NAME:
            raise _fault_at(f"The function {name} is not allowed.", node)
    elif isinstance(node, exp.Func):
        if type(node) not in ALLOWED:
            raise _fault_at(f"The function {node.sql_name().lower()} is not allowed.", node)
    elif type(node) not in _SYNTAX:
        raise _fault_at(f"{node.key.upper()} is not allowed.", node)
    _check_content(node)
    # What a node can have besides: INTO, samples, locks, lateral views.
    allowed = _ARGUMENTS.get(type(node))
    if allowed is not None:
        for name, value in node.args.items():
            if value and name not in allowed:
                raise _fault_at(f"{_WORDS.get(name, name.upper())} is not allowed here.", node)


def _check_content(node: exp.Expr) -> None:
    """Check what a part of the syntax, which is allowed as such, is about."""
    if isinstance(node, exp.With) and node.args.get("recursive"):
        raise _fault_at("WITH RECURSIVE is not allowed.", node)
    if isinstance(node, exp.Limit | exp.Offset):
        number = node.expression
        if not (isinstance(number, exp.Literal) and number.is_int and len(number.name) <= _MAX_DIGITS):
            raise _fault_at("LIMIT and OFFSET take a whole number.", node)
    if isinstance(node, exp.DataType) and node.this not in _TYPES:
        raise _fault_at(f"The type {node.sql(dialect='spark')} is not allowed.", node)
    if isinstance(node, exp.Extract | exp.TimestampTrunc | exp.DateTrunc):
        unit = node.this if isinstance(node, exp.Extract) else node.args.get("unit")
        if unit is None or unit.name.upper() not in _UNITS:
            raise _fault_at(f"Write one of these units: {', '.join(_UNITS)}.", node)
    if isinstance(node, exp.StrPosition) and node.args.get("position"):
        raise _fault_at("LOCATE takes two arguments here.", node)
    if isinstance(node, exp.Substring) and any(
        part.find(exp.Substring) for part in (node.args.get("start"), node.args.get("length")) if part
    ):
        raise _fault_at("SUBSTRING is not allowed in the second and third argument of SUBSTRING.", node)
    if isinstance(node, exp.Join) and node.kind in ("SEMI", "ANTI"):
        raise _fault_at(f"{node.kind} JOIN is not allowed. Write EXISTS or NOT EXISTS instead.", node)


_WORDS = {
    "laterals": "LATERAL VIEW",
    "sample": "TABLESAMPLE",
    "db": "A schema in front of a table",
    "using": "USING (write ON instead)",
    "method": "NATURAL (write ON instead)",
}
_MAX_DIGITS = 18
# In whose numbers Spark and DuckDB agree.
_UNITS = ("YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE")
_TYPES = frozenset(
    exp.DataType.Type[name]
    for name in (
        *("BOOLEAN", "TINYINT", "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL", "TEXT", "VARCHAR", "CHAR"),
        *("DATE", "TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMPNTZ", "TIMESTAMPLTZ"),
    )
)
_OF_QUERY = {"with_", "order", "limit", "offset"}
_ARGUMENTS: Mapping[type[exp.Expr], set[str]] = {
    exp.Select: {*_OF_QUERY, "expressions", "from_", "joins", "where", "group", "having", "qualify", "distinct"},
    exp.Union: {*_OF_QUERY, "this", "expression", "distinct"},
    exp.Except: {*_OF_QUERY, "this", "expression", "distinct"},
    exp.Intersect: {*_OF_QUERY, "this", "expression", "distinct"},
    exp.Join: {"this", "on", "side", "kind"},
    exp.Table: {"this", "alias", "joins"},
    exp.Subquery: {"this", "alias", "joins", "with_"},
    exp.Star: set(),
}


def _meant(name: str, known: Iterable[str]) -> str:
    return did_you_mean(names_like(name, known)[:1])


class _Resolver:
    """Replaces the tables and columns that a query names by those that there are."""

    def __init__(self, tables: Sequence[SqlTable]) -> None:
        self._tables = tables
        self._columns: dict[str, dict[str, str]] = {}

    def resolve(self, tree: exp.Query, now: datetime) -> CheckedQuery:
        self._name_queries(tree)
        for scope in traverse_scope(tree):
            self._resolve_scope(scope, is_root=scope.expression is tree)
        for column in tree.find_all(exp.Column):
            if not column.meta.get(_IS_RESOLVED):
                raise self._no_column(column, ())
        for bracket in tree.find_all(exp.Bracket):
            raise _fault_at("Only attributes['name'] can have brackets.", bracket)
        id_column = _id_column_of(tree)
        types = {
            table.duckdb_name: dict.fromkeys(self._columns.get(table.duckdb_name, ()), TEXT) | dict(table.types)
            for table in self._tables
        }
        return CheckedQuery(translate(tree, types, now), id_column, self._columns)

    def _name_queries(self, tree: exp.Query) -> None:
        """Give queries in WITH and FROM names of ours: DuckDB ignores the case of names, and the parser does not."""
        tables = {plain(name) for table in self._tables for name in table.names}
        names: dict[str, str] = {}
        for number, cte in enumerate(tree.find_all(exp.CTE)):
            if cte.args["alias"].args.get("columns"):
                raise _fault_at("A list of columns is not allowed here. Name them with AS in the query.", cte)
            if plain(cte.alias) in tables or plain(cte.alias) in names:
                raise _fault_at(f"The name {cte.alias} is taken by a table or another query. Choose another one.", cte)
            names[plain(cte.alias)] = f"q{number}"
            cte.args["alias"].set("this", exp.to_identifier(f"q{number}", quoted=True))
        for table in tree.find_all(exp.Table):
            name = names.get(plain(table.name)) if not table.args.get("db") else None
            if table.args.get("alias") and table.args["alias"].args.get("columns"):
                raise _fault_at("A list of columns is not allowed here.", table)
            if name is not None:
                alias = exp.to_identifier(table.alias or table.name, quoted=True)
                table.set("alias", exp.TableAlias(this=alias))
                table.set("this", exp.to_identifier(name, quoted=True))
        for number, query in enumerate(tree.find_all(exp.Subquery)):
            if query.args.get("alias") and query.args["alias"].args.get("columns"):
                raise _fault_at("A list of columns is not allowed here. Name them with AS in the query.", query)
            if isinstance(query.parent, exp.From | exp.Join) and not query.alias:
                query.set("alias", exp.TableAlias(this=exp.to_identifier(f"s{number}", quoted=True)))

    def _resolve_scope(self, scope: Scope, *, is_root: bool) -> None:
        sources = {alias: self._source(node, source) for alias, (node, source) in scope.selected_sources.items()}
        for star in [one for one in _query_of(scope).selects if one.is_star]:
            _replace_star(star, sources, is_root=is_root)
        outputs = {plain(one.alias) for one in _query_of(scope).selects if isinstance(one, exp.Alias)}
        for column in _columns_after_grouping(scope):
            # Spark takes an output first there, but not as what a function adds up.
            is_output = not column.table and plain(column.name) in outputs
            if is_output and not isinstance(column.parent, exp.Dot) and column.find_ancestor(exp.AggFunc) is None:
                column.replace(_output(column.name, scope))
        for column in [*scope.columns, *_columns_after_grouping(scope)]:
            if not column.meta.get(_IS_RESOLVED) and not isinstance(column.this, exp.Star):
                self._resolve_column(column, scope, sources, outputs)

    def _source(self, node: exp.Expr, source: exp.Expr | Scope) -> SqlTable | Scope:
        if isinstance(source, Scope):
            return source
        if not isinstance(source, exp.Table) or not isinstance(source.this, exp.Identifier):
            raise _fault_at("Only tables and queries can stand here.", node)
        if source.args.get("db") or source.args.get("catalog"):
            raise _fault_at("A table has no schema here. Write its name alone.", source)
        by_name = {name: one for one in reversed(self._tables) for name in one.names}
        name = _find_name(source.name, by_name, source)
        table = by_name[name] if name is not None else None
        if table is None:
            names = [one.name for one in self._tables]
            raise _fault_at(
                f"There is no table {source.name}.{_meant(source.name, names)} Tables: {', '.join(names)}.", source
            )
        alias = source.alias_or_name
        source.set("this", exp.to_identifier(table.duckdb_name, quoted=True))
        source.set("alias", exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))
        self._columns.setdefault(table.duckdb_name, {})[PROFILE_ID] = PROFILE_ID
        return table

    def _resolve_column(
        self,
        column: exp.Column,
        scope: Scope,
        sources: Mapping[str, SqlTable | Scope],
        outputs: set[str],
    ) -> None:
        # It may be listed twice.
        column.meta[_IS_RESOLVED] = True
        top, path = _whole_path(column)
        by_alias = {alias.lower(): alias for alias in sources}
        if len(path) > 1 and path[0].lower() in by_alias:
            candidates, path = [by_alias[path[0].lower()]], path[1:]
        else:
            candidates = list(sources)
        found = [
            (alias, *one)
            for alias in candidates
            if (one := self._find_in(sources[alias], path, top, column)) is not None
        ]
        if len(found) > 1:
            raise _fault_at(
                f"The column {'.'.join(path)} is in several tables: {', '.join(alias for alias, *_ in found)}. Write "
                "the name of one in front of it.",
                column,
            )
        if not found:
            if len(path) == 1 and plain(path[0]) in outputs:
                # An alias of the select, in ORDER BY or HAVING.
                column.replace(_output(path[0], scope))
            elif scope.parent is None or not scope.is_subquery:
                raise self._no_column(column, [sources[alias] for alias in candidates])
            else:
                # It may be a column of the query around it, which comes later.
                column.meta[_IS_RESOLVED] = False
            return
        alias, name, node = found[0]
        made: exp.Expr = _column(name, alias, in_place_of=column)
        if node.parent is scope.expression and node.arg_key == "expressions":
            # It keeps its name in the result.
            made = exp.alias_(made, exp.to_identifier(path[-1], quoted=True))
        node.replace(made)

    def _find_in(
        self, source: SqlTable | Scope, path: Sequence[str], top: exp.Expr, column: exp.Column
    ) -> tuple[str, exp.Expr] | None:
        """Find a column in a source; return its name there, and the node that stands for it."""
        if isinstance(source, Scope):
            outputs = {plain(name): name for name in _query_of(source).named_selects}
            name = outputs.get(plain(path[-1])) if len(path) == 1 else None
            return None if name is None else (name, top)
        if source.object_type is None and plain(path[0]) == _ATTRIBUTES:
            attribute, node = _attribute_of(path, top, column)
            return self._name_in_duckdb(source, attribute), node
        name = _find_name(".".join(path), source.columns, column)
        return None if name is None else (self._name_in_duckdb(source, name), top)

    def _name_in_duckdb(self, table: SqlTable, source: str) -> str:
        """Return the name of a column, which is made up where others choose it: names may differ in case only."""
        columns = self._columns[table.duckdb_name]
        if source in (OWN_COLUMNS if table.object_type else table.columns):
            columns[source] = source
            return source
        for name, other in columns.items():
            if other == source:
                return name
        made = f"c{len(columns)}"
        columns[made] = source
        return made

    def _no_column(self, column: exp.Column, sources: Iterable[SqlTable | Scope]) -> SqlFault:
        name = ".".join(_whole_path(column)[1])
        known = [name for one in sources for name in _names_in(one)]
        return _fault_at(f"There is no column {name}.{_meant(name, known)}", column)


def _replace_star(star: exp.Expr, sources: Mapping[str, SqlTable | Scope], *, is_root: bool) -> None:
    """Replace ``*`` by the id of the profile, the only column that counts."""
    if len(sources) != 1 or not is_root or not isinstance(next(iter(sources.values())), SqlTable):
        raise _fault_at("Name the columns here instead of writing *.", star)
    (alias,) = sources
    star.replace(_column(PROFILE_ID, alias, in_place_of=star))


def _columns_after_grouping(scope: Scope) -> Iterator[exp.Column]:
    """Yield columns that the parser does not list, since they may be outputs."""
    for clause in ("having", "qualify", "order"):
        found = scope.expression.args.get(clause)
        for column in list(found.find_all(exp.Column)) if found else ():
            if column.parent_select is scope.expression:
                yield column


def _query_of(scope: Scope) -> exp.Query:
    assert isinstance(scope.expression, exp.Query)
    return scope.expression


def _find_name(given: str, names: Iterable[str], node: exp.Expr) -> str | None:
    """Find a name as it is written, or else the only similar one."""
    known = list(names)
    if given in known:
        return given
    same = [name for name in known if plain(name) == plain(given)]
    exact = [name for name in same if name.lower() == given.lower()]
    found = exact if len(exact) == 1 else same
    if len(found) > 1:
        raise _fault_at(f"{given} may mean {' or '.join(sorted(found))}. Write it as it is, in back quotes.", node)
    return found[0] if found else None


def _names_in(source: SqlTable | Scope) -> Iterator[str]:
    if isinstance(source, Scope):
        yield from _query_of(source).named_selects
        return
    yield from source.columns
    if source.object_type is None:
        yield _ATTRIBUTES


def _whole_path(column: exp.Column) -> tuple[exp.Expr, list[str]]:
    """Return the node of a name with all its parts, and the parts: ``p.address.city`` may be a column, or more."""
    path = [part.name for part in column.parts]
    top: exp.Expr = column
    while isinstance(top.parent, exp.Dot) and top.parent.this is top:
        top = top.parent
        path.append(top.expression.name)
    return top, path


def _attribute_of(path: Sequence[str], top: exp.Expr, column: exp.Column) -> tuple[str, exp.Expr]:
    """Return the column of a custom attribute, and the node that stands for it."""
    if len(path) > 1:
        return f"Attributes.{'.'.join(path[1:])}", top
    bracket = top.parent
    if isinstance(bracket, exp.Bracket) and bracket.this is top and len(bracket.expressions) == 1:
        name = bracket.expressions[0]
        if isinstance(name, exp.Literal) and name.is_string:
            return f"Attributes.{name.this}", bracket
    raise _fault_at("Name one attribute: attributes['name'].", column)


def _column(name: str, table: str, *, in_place_of: exp.Expr) -> exp.Column:
    made = exp.column(exp.to_identifier(name, quoted=True), table=exp.to_identifier(table, quoted=True))
    written = next((one.meta for one in in_place_of.walk() if "line" in one.meta), {})
    # A fault that is found later still has its place.
    made.meta.update({word: written[word] for word in _PLACE if word in written})
    made.meta[_IS_RESOLVED] = True
    return made


def _output(name: str, scope: Scope) -> exp.Column:
    spelled = next(
        one.alias for one in _query_of(scope).selects if isinstance(one, exp.Alias) and plain(one.alias) == plain(name)
    )
    made = exp.column(exp.to_identifier(spelled, quoted=True))
    made.meta[_IS_RESOLVED] = True
    return made


def _id_column_of(tree: exp.Query) -> str:
    names = [name for name in tree.named_selects if plain(name) == plain(PROFILE_ID)]
    if len(names) != 1:
        raise _fault_at(
            f"The result must have one column {PROFILE_ID}, the ids of the members; it has {len(names)}.", tree
        )
    return names[0]
