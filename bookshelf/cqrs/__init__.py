"""The vocabulary that business code is written in. Pure: no I/O, no clock, no asyncio."""
