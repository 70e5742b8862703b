"""Print each event as it begins, how late it was told, and whatever was missed.

python examples/print_events.py [ENDPOINT]
"""

import sys

from realtime import Subscriber

endpoint = sys.argv[1] if len(sys.argv) > 1 else "tcp://127.0.0.1:5556"

with Subscriber(endpoint, on_notice=lambda told: print("notice:", told)) as subscriber:
    try:
        for message in subscriber:
            event = message.event()
            if event.phase == "onset" and not message.is_replay:
                began = f"{event.onset_utc:%H:%M:%S}"
                late = "" if message.lag_s is None else f", received {message.lag_s:.3f} s later"
                print(f"{began} {event.label} at {event.source}{late}", flush=True)
    except KeyboardInterrupt:
        pass
