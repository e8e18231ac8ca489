"""What the two sites of the shop share: answers of the API, pictures of products, texts of orders."""
