"""The asking side of HTTP/1.1: kept connections, one request on each at a time, answers read strictly."""
