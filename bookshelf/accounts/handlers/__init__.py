"""The handlers of accounts: sign-in and all that needs hashes, tokens or keys; they are no pure commands."""
