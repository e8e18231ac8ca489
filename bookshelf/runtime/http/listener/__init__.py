"""The answering side of HTTP/1.1: connections, what is read from them, what is written to them."""
