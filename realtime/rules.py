"""`python -m realtime.rules`: which rule would have held on a history, and which profile holds."""

import sys

from realtime.client.rules import main

if __name__ == "__main__":
    sys.exit(main())
