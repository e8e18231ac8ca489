"""The bookshop: products, stock, credit, carts, orders, payments and invoices."""
