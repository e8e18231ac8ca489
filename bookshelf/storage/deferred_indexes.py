"""Creates the indexes of a new SQLite table set after its rows: sorting all at once is faster than inserting.

Unique indexes are created with the tables, because statements of handlers may depend on them.
"""

from sqlalchemy import Connection

_FULLTEXT = "SELECT name FROM sqlite_master WHERE sql LIKE '%USING fts5(%'"
_DEFERRED = f"""
    CREATE TABLE bookshelf_deferred AS SELECT type, name, sql FROM sqlite_master
    WHERE (type = 'index' AND sql NOT LIKE 'CREATE UNIQUE %')
    OR (type = 'trigger' AND tbl_name || '_words' IN ({_FULLTEXT}))
"""  # noqa: S608 (names of our own)


def defer(db: Connection) -> None:
    """Drop the indexes of empty tables and the triggers of their full-text indexes; keep the definitions."""
    db.exec_driver_sql(_DEFERRED)
    for kind, name in db.exec_driver_sql("SELECT type, name FROM bookshelf_deferred").all():
        db.exec_driver_sql(f"DROP {kind} {name}")


def create(db: Connection) -> None:
    """Create the indexes that were dropped, if there are any, and fill the full-text indexes."""
    kept = "SELECT 1 FROM sqlite_master WHERE name = 'bookshelf_deferred'"
    if db.exec_driver_sql(kept).first() is None:
        return
    for (definition,) in db.exec_driver_sql("SELECT sql FROM bookshelf_deferred").all():
        db.exec_driver_sql(definition)
    for (name,) in db.exec_driver_sql(_FULLTEXT).all():
        db.exec_driver_sql(f"INSERT INTO {name}({name}) VALUES ('rebuild')")  # noqa: S608 (see above)
    db.exec_driver_sql("DROP TABLE bookshelf_deferred")
