"""Commands that arrive by topic, and the replies to their senders."""
