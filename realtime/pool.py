"""`python -m realtime.pool`: recognizes what edges send (`realtime.cluster.pool.command`)."""

import sys

from realtime.cluster.pool.command import main

if __name__ == "__main__":
    sys.exit(main())
