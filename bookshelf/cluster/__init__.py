"""Changes what runs on all nodes of a domain at one moment or on none."""
