"""Storage of view rows, behind one port: SQLite files or PostgreSQL, with SQLAlchemy Core and no ORM."""
