"""Runs aggregates: the owners of partitions with their command queues, batches and states."""
