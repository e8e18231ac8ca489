"""Small tools for tasks on one event loop."""
