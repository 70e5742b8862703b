"""From rings to clips: what a second of a stream shows and sounds like, and when it is due."""
