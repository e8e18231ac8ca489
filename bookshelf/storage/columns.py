"""Types of columns that mean the same on every database."""

from sqlalchemy import Text
from sqlalchemy.dialects import postgresql

#: A text that is compared by its characters' numbers, as SQLite does, not by the rules of some language.
TEXT = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
