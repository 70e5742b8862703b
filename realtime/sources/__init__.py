"""Where sound and picture come from: devices, files, network streams and the demo scene.

Importing this package loads no device library; each source loads its own when it is opened.
"""
