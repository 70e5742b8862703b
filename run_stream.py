"""Recognize audio-visual events live: `python run_stream.py --camera 0`."""

import sys

from realtime.command_line.main import main

if __name__ == "__main__":
    sys.exit(main())
