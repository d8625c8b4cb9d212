"""Exports of the members of a segment: the formats of files, and where they go."""
