"""The ways out: messages on a socket, lines of JSON, plain lines and the terminal dashboard.

Importing this package imports nothing else: `realtime.subscribe` uses two of its pure modules and
must start at once.
"""
