"""The keyring: keys of persons and of services, wrapped in a table, and gone for good once destroyed."""
