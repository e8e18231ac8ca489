"""Helpers for asyncio tasks on one event loop."""
