"""The rings between capture and recognition: pictures by slot, sound by absolute sample index."""
