"""The figures of the shop: orders of many customers, open orders, and the same saga in Protean."""
