"""Leases and the election of a primary: the port, its adapters, and what keeps a lease renewed."""
