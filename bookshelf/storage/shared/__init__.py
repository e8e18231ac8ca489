"""What storages in a database that many instances share have in common."""
