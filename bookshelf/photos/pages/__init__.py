"""The gallery: the pages of photos."""
