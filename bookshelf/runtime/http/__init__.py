"""HTTP as values: requests and responses that cross sockets, or a process, alike."""
