"""What runs around every request of the gateway."""
