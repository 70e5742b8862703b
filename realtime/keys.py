"""`python -m realtime.keys`: makes the event socket's keys (`realtime.client.keys`)."""

import sys

from realtime.client.keys import main

if __name__ == "__main__":
    sys.exit(main())
