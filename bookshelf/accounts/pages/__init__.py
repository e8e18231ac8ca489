"""The pages of accounts: sign-in, registration, and the account of a person."""
