"""`python -m realtime.pool`: recognizes what edges send (`realtime.cluster.pool_command`)."""

import sys

from realtime.cluster.pool_command import main

if __name__ == "__main__":
    sys.exit(main())
