"""An HTTP/1.1 client with connection pools."""
