"""Expressions as SQL for each engine; ``expressions.evaluate`` is the same in Python, and a test compares them."""
