"""The types that business code is written with: aggregates, events, views, routes. They do no I/O."""
