"""The pages of the shop for customers: products, the cart, checkout, orders."""
