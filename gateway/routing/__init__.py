"""Which request goes to which service, learned from the documents that services publish."""
