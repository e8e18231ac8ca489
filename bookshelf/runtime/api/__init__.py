"""Answers the HTTP requests of a service: turns routes into commands and queries."""
