"""Storage: where views keep their rows, behind one port. SQLAlchemy Core, no ORM."""
