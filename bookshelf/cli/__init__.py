"""The `bookshelf` command: one file a subcommand."""
