"""Measures this machine: how fast, how soon, how large. It says figures and judges none."""
