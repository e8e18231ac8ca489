"""Discovery: who is ready, by tag, behind one port."""
