"""The host of a view: follows the log, keeps rows, answers queries."""
