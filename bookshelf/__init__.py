"""Bookshelf: a reading community run by small asyncio microservices."""

__version__ = "0.1.0"
