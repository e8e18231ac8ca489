"""View rows in a PostgreSQL database that many instances share."""
