"""Runs processes: turns the events of a topic into commands, exactly once, and keeps what could not be."""
