"""Publishes pictures: uploads, votes, comments, timelines and profiles."""
