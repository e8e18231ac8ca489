"""An HTTP/1.1 server on asyncio protocols and llhttp."""
