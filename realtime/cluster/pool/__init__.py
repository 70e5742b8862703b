"""Several recognizers as one: who has which stream, and their events at one address."""
