"""Stores files that are addressed by their content (blobs), and makes pictures fit to be shown."""
