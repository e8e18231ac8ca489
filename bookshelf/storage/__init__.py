"""Storage of view rows, behind one port: SQLite, PostgreSQL or MariaDB, with SQLAlchemy Core and no ORM."""
