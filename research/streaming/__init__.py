"""Streams composed of held-out sounds and pictures, run through the real pipeline and scored.

scene (what happens when) → material (sounds and pictures) → render (a media file) → run (the
pipeline over it) → scoring (events against the truth) → report (table, JSON, page).
"""
