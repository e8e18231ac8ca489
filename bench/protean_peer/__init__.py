"""Programs of the baseline, which a Python with Protean runs: they need nothing else of this project."""
