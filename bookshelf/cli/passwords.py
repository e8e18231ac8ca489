"""Passwords of the command line: typed on a terminal, or read from a file."""

import sys
from pathlib import Path

import click

from bookshelf.cli.command import first_line, stop

#: The option whose value `read_password` takes.
password_file_option = click.option(
    "--password-file",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="Read the password from the first line of FILE, - is standard input; else it is asked for.",
)


def read_password(file: Path | None, *, is_new: bool = False) -> str:
    """Return the first line of a file, or what is typed without echo; a new password is typed twice."""
    if file is not None:
        return first_line(file)
    if not sys.stdin.isatty():
        stop("a password is typed on a terminal only; give it with --password-file FILE, or - for a pipe")
    # asked for on standard error: what a command prints may be read by another one
    typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=is_new, err=True)
    return typed
