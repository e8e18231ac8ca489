"""What stands between a client and the routes: who it is, how much it may, and what every answer gets."""
