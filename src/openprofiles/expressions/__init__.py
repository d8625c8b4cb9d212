"""Expressions: conditions on one profile, and whether they hold."""
