"""Nodes of a MariaDB Galera cluster: their options, which one begins it, and a cluster to develop with."""
