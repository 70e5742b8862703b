"""The random bundle of the integration tests, and a store of its own."""

from integration.conftest import random_bundle, store

__all__ = ["random_bundle", "store"]
