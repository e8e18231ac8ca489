"""Benchmarks: measure throughput, latency, start time and memory on this machine, without pass or fail."""
