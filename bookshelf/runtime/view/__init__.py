"""Runs views: applies the log to their tables, rebuilds them, and answers queries."""
