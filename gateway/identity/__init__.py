"""Who sends a request: an optional hook between the gateway's routes and the services."""
