"""The pages of the shop: those of customers, those of managers, and what both share."""
