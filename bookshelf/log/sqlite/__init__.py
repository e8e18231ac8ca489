"""The embedded log: one SQLite file for all topics."""
