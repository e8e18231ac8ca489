"""What answers the requests of a service: routes that become commands or queries."""
