"""HTTP/1.1 server, client, messages and router. Imports nothing else of this project."""
