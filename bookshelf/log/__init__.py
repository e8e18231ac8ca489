"""The log: an ordered, durable, partitioned sequence of records, behind one port."""
