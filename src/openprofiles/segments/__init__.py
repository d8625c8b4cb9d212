"""Segments: groups of profiles for which an expression holds."""
