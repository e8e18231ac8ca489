"""The keyring in backups: it is copied after the log, and brings no destroyed key back."""

import sqlite3
from contextlib import closing
from pathlib import Path

from bookshelf.log.port import LogFault
from bookshelf.log.sqlite.database import copy_log, settle_log

#: The part of a backup, and its file, in a data folder too.
KEYRING = "keyring"
KEYRING_FILE = "keyring.sqlite"
_CARRY = """
INSERT INTO main.key SELECT * FROM present.key WHERE wrapped IS NULL
ON CONFLICT DO UPDATE SET wrapped = NULL
"""


def copy_keyring(data: Path, target: Path) -> list[str]:
    """Copy the keyring of a data folder, in use or not, to a folder; return the names of its files.

    Raises `LogFault`.
    """
    if not (data / KEYRING_FILE).is_file():
        return []
    copy_log(data / KEYRING_FILE, target / KEYRING_FILE)
    return [KEYRING_FILE]


def keep_destroyed(staged: Path, data: Path) -> None:
    """Destroy the keys of a staged keyring that are destroyed in the data folder that it is restored to.

    Raises `LogFault`.
    """
    settle_log(staged / KEYRING_FILE)
    if not (data / KEYRING_FILE).is_file():
        return
    try:
        with closing(sqlite3.connect(staged / KEYRING_FILE, isolation_level=None)) as keyring:
            keyring.execute("PRAGMA secure_delete = ON")
            keyring.execute("ATTACH ? AS present", (str(data / KEYRING_FILE),))
            keyring.execute(_CARRY)
    except sqlite3.Error as fault:
        msg = f"the destroyed keys of {data / KEYRING_FILE} cannot be read ({fault}); move that file away"
        raise LogFault(msg) from fault
