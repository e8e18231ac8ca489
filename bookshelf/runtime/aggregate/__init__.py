"""Runs aggregates: owners of partitions, their command queues, batches and states."""
