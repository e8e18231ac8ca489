"""View rows in a MariaDB database, or a Galera cluster, that many instances share."""
