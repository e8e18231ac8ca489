"""Accounts at the gateway: browsers' sessions, the tokens of our own issuer, and what was revoked."""
