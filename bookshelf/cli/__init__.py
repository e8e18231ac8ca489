"""The `bookshelf` command: one module for each subcommand, or for some that belong together."""
