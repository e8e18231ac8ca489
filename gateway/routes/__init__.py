"""What is served: learned from the services themselves, merged into one table and one document."""
