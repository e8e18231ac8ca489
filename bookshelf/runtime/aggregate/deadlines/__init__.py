"""Deadlines of aggregates, and the timer that queues their commands."""
