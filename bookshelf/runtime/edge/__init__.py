"""A service's edge: HTTP requests in, commands and queries on, problem details out."""
