"""The functions that queries of SQL segments may call.

DuckDB computes each of them as Spark does, and none makes much more of what it is given. The translation does not
repeat their arguments, which would grow with each level of nesting. A function that is not listed is refused, also one
that a later version of the parser knows.
"""

from __future__ import annotations

from sqlglot import exp

AGGREGATES: tuple[type[exp.Func], ...] = (
    exp.AnyValue,
    exp.ApproxDistinct,
    exp.ApproxQuantile,
    exp.ArgMax,
    exp.ArgMin,
    exp.Avg,
    exp.Count,
    exp.CountIf,
    exp.First,
    exp.Last,
    exp.Max,
    exp.Median,
    exp.Min,
    exp.Mode,
    exp.Quantile,
    exp.Stddev,
    exp.StddevPop,
    exp.StddevSamp,
    exp.Sum,
    exp.Variance,
    exp.VariancePop,
)
WINDOWS: tuple[type[exp.Func], ...] = (
    exp.CumeDist,
    exp.DenseRank,
    exp.FirstValue,
    exp.Lag,
    exp.LastValue,
    exp.Lead,
    exp.Ntile,
    exp.PercentRank,
    exp.Rank,
    exp.RowNumber,
)
NUMBERS: tuple[type[exp.Func], ...] = (
    exp.Abs,
    exp.Ceil,
    exp.Exp,
    exp.Floor,
    exp.Ln,
    exp.Log,
    exp.Pow,
    exp.Round,
    exp.Sign,
    exp.Sqrt,
)
TEXTS: tuple[type[exp.Func], ...] = (
    exp.Concat,
    exp.ConcatWs,
    exp.Contains,
    exp.EndsWith,
    exp.Left,
    exp.Length,
    exp.Lower,
    exp.RegexpExtract,
    exp.RegexpLike,
    exp.RegexpReplace,
    exp.Replace,
    exp.Reverse,
    exp.Right,
    exp.SplitPart,
    exp.StartsWith,
    exp.StrPosition,
    exp.Substring,
    exp.Translate,
    exp.Trim,
    exp.Upper,
)
# What they are given is read as a moment.
MOMENTS: tuple[type[exp.Func], ...] = (
    exp.AddMonths,
    exp.DateTrunc,
    exp.Extract,
    exp.Hour,
    exp.LastDay,
    exp.Minute,
    exp.Quarter,
    exp.Second,
    exp.TimestampTrunc,
)
# They read dates by themselves.
DATES: tuple[type[exp.Func], ...] = (
    exp.CurrentDate,
    exp.CurrentTimestamp,
    exp.DateDiff,
    exp.Day,
    exp.DayOfMonth,
    exp.DayOfWeek,
    exp.DayOfYear,
    exp.Month,
    exp.TimeStrToTime,
    exp.TimeToStr,
    exp.TsOrDsAdd,
    exp.TsOrDsToDate,
    exp.WeekOfYear,
    exp.Year,
)
OTHERS: tuple[type[exp.Func], ...] = (
    exp.And,
    exp.Case,
    exp.Cast,
    exp.Coalesce,
    exp.Exists,
    exp.Greatest,
    exp.If,
    exp.Least,
    exp.Nullif,
    exp.Nvl2,
    exp.Or,
    exp.TryCast,
    exp.Xor,
)
ALLOWED = frozenset((*AGGREGATES, *WINDOWS, *NUMBERS, *TEXTS, *MOMENTS, *DATES, *OTHERS))
# Those that the parser does not know; they are replaced by others.
ALLOWED_BY_NAME = frozenset({"isnull", "isnotnull", "now"})

# Calculate with numbers, so that Spark reads a text as a number.
OF_NUMBERS: tuple[type[exp.Func], ...] = (
    exp.ApproxQuantile,
    exp.Avg,
    exp.Median,
    exp.Quantile,
    exp.Stddev,
    exp.StddevPop,
    exp.StddevSamp,
    exp.Sum,
    exp.Variance,
    exp.VariancePop,
    *NUMBERS,
)
