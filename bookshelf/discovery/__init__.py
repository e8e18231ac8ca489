"""Service discovery: which instances are ready, found by their tags, behind one port."""
