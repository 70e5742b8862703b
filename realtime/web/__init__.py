"""A page in the browser: what happens now, what happened, and whether it was right.

Plain HTML and small modules of JavaScript in `static/`, no build step. It reads snapshots and the
history, and writes nothing but corrections. docs/guide/web.md shows it, docs/reference/security.md
says who sees what, ADR 23 why it is so.
"""
