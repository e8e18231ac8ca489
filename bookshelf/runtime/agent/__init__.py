"""Runs what a rollout changes on one node."""
