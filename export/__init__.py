"""Bundles as graphs for other programs: ONNX and `torch.export`.

It knows `mafnet` and `extractors`, and no room knows it (docs/design/adr/0027-export.md).
"""
