"""Choosing an instance and asking it, and another where that is safe."""
