"""Verifies tokens and decides which requests need one."""
