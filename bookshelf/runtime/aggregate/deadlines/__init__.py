"""Deadlines that aggregates ask for, and the timer that expires them."""
