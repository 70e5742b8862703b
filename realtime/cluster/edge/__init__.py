"""The first half of a stream, at the machine with the camera: capture, keep time, send."""
