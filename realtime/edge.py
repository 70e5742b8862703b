"""`python -m realtime.edge`: captures for a pool (`realtime.cluster.edge.command`)."""

import sys

from realtime.cluster.edge.command import main

if __name__ == "__main__":
    sys.exit(main())
