"""The shelf: books are added, changed, removed, finished, listed and found."""
