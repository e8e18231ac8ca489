"""Routing: the route table, made from the OpenAPI documents of services and the operator's rules."""
