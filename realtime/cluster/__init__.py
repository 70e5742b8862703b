"""Edges and a pool: capture at one machine, recognition at another (docs/guide/cluster.md)."""
