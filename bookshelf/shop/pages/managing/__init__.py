"""The pages of the bookshop for its manager, below /manage."""
