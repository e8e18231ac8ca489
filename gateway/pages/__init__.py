"""What the gateway serves itself: docs, the document of all services, health, metrics."""
