"""The pages of the reader's site."""
