"""The laws of the shop, recounted from its log and from the rows of its views."""
