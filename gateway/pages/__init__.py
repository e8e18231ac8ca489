"""The pages that the gateway serves itself: API docs, common OpenAPI document, status, health, metrics."""
