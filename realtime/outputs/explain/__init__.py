"""Why something was told: pictures, sound, scores, attention and events over one time axis.

One view in two places: a page of its own for a run (`--explain`), and behind each event on the
page in the browser. docs/guide/explain.md shows it, ADR 26 says why it is so.
"""
