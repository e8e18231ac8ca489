"""How long a fault lasts, where that is what it is."""

import threading


def lasts(seconds: float) -> None:
    """Let a fault go on for so long: longer or shorter than a deadline of the program, as its test says."""
    threading.Event().wait(seconds)
