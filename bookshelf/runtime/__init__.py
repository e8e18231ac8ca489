"""The runtime: hosts for aggregates and views, the HTTP edge, and the life of a service."""
