"""Teaching: a bundle and a few of the user's own clips in, a bundle that knows one thing more out.

It stands above all packages of the wheel, and `python -m mafnet teach` is the way in (ADR 29).
"""
