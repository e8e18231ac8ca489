"""`python -m bookshelf` is the `bookshelf` command."""

from bookshelf.cli.main import main

if __name__ == "__main__":
    main()
