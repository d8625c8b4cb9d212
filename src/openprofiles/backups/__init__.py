"""Backups of an embedded store: made while it is used, and restored into an empty data folder."""
