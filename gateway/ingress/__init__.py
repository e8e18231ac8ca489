"""The ingress: middleware around every request of the gateway, and its listeners."""
