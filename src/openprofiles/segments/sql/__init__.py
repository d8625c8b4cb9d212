"""SQL segments: a query in Spark's dialect, checked, translated, and run by DuckDB in a process of its own."""
