"""The view of timelines: lists of photos, one photo, and what one person has published."""
