"""Weights that travel with everything needed to use them, and where they are kept.

Torch-free at import: a command that only lists or checks bundles starts at once.
"""
