"""`python -m realtime`: the same as `run_stream.py` and `mafnet-live`."""

import sys

from realtime.command_line.main import main

if __name__ == "__main__":
    sys.exit(main())
