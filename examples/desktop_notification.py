"""Show a note on the desktop when an event begins; wants notify-send (Debian: libnotify-bin).

python examples/desktop_notification.py Siren Bark [--endpoint ENDPOINT]
"""

import argparse
import shutil
import subprocess
import sys

from realtime import Subscriber

parser = argparse.ArgumentParser(description="Show a note on the desktop when an event begins.")
parser.add_argument("labels", nargs="*", help="these alone (default: all)")
parser.add_argument("--endpoint", default="tcp://127.0.0.1:5556")
options = parser.parse_args()

notify = shutil.which("notify-send")
if notify is None:
    sys.exit("notify-send is not installed; run `apt-get install libnotify-bin`")

with Subscriber(options.endpoint, labels=options.labels) as subscriber:
    try:
        for message in subscriber:
            event = message.event()
            if event.phase != "onset" or message.is_replay:
                continue
            body = f"{event.source}, {event.confidence:.0%} sure"
            # A list of arguments and `--`: a label cannot become a flag or a command.
            subprocess.run([notify, "--app-name=mafnet", "--", event.label, body], check=False)
    except KeyboardInterrupt:
        pass
