"""Accounts: people, their handles and e-mail addresses, groups, sessions. The rules are pure."""
