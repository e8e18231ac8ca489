"""Stores pictures that people upload, and serves them."""
