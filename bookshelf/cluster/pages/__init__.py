"""The console: pages about the domains of a cluster."""
