"""`python -m realtime.history`: lists what happened (`realtime.client.history`)."""

import sys

from realtime.client.history import main

if __name__ == "__main__":
    sys.exit(main())
