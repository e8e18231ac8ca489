"""How long a fault lasts, where that is what it is."""

import threading


def lasts(seconds: float) -> None:
    """Keep a fault for some seconds: longer or shorter than a deadline of the program."""
    threading.Event().wait(seconds)
