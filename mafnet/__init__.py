"""MAFnet: the paper's network, its training and its testing; tensors in, tensors out.

Brousmiche, Rouat, Dupont, "Multi-level Attention Fusion Network for Audio-visual Event
Recognition", arXiv 2106.06736. The package knows neither cameras and microphones nor how features
are made; it reads them as `(B, T, D)` pictures and `(B, T, 512, 12, 8)` sound maps.
"""
