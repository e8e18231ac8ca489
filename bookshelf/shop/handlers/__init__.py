"""The handlers of the shop: what is neither one command nor one query."""
