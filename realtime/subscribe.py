"""`python -m realtime.subscribe` and `Subscriber`, whose home is `realtime.client`."""

import sys

from realtime.client.subscribe import main
from realtime.client.subscriber import Received, Subscriber

__all__ = ["Received", "Subscriber", "main"]

if __name__ == "__main__":
    sys.exit(main())
