"""`python -m realtime.edge`: captures for a pool (`realtime.cluster.edge_command`)."""

import sys

from realtime.cluster.edge_command import main

if __name__ == "__main__":
    sys.exit(main())
