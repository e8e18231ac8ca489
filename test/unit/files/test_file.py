"""The rules of a file: stored, deleted, stored again."""

from support.spec import given

from bookshelf.cqrs.errors import NotFound
from bookshelf.files.file import FILE, DeleteFile, FileDeleted, FileStored, StoreFile

STORE = StoreFile(type="image/webp", bytes=1200, width=300, height=450)
STORED = FileStored(type="image/webp", bytes=1200, width=300, height=450)


def test_a_picture_is_stored_once_however_often_it_is_uploaded() -> None:
    given(FILE).when(STORE).then(STORED)
    given(FILE, STORED).when(STORE).then()


def test_a_deleted_picture_may_be_stored_again() -> None:
    given(FILE, STORED).when(DeleteFile()).then(FileDeleted())
    given(FILE, STORED, FileDeleted()).when(STORE).then(STORED)


def test_a_deletion_that_is_repeated_appends_nothing() -> None:
    given(FILE, STORED, FileDeleted()).when(DeleteFile()).then()


def test_a_file_that_was_never_stored_is_not_found() -> None:
    given(FILE).when(DeleteFile()).refused(NotFound)
