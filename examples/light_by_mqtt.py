"""A light that is on while an event goes on; wants paho-mqtt, and mafnet-live --mqtt.

python examples/light_by_mqtt.py mafnet/+/label/Doorbell cmnd/hall/POWER [--broker HOST]

The first topic is what `mafnet-live --mqtt` says of a label at any stream, the second takes ON and
OFF, as the lights of Tasmota do.
"""

import argparse
from typing import Any

import paho.mqtt.client as mqtt

parser = argparse.ArgumentParser(description="A light that is on while an event goes on.")
parser.add_argument("state", help="topic of a label's state, + for any stream")
parser.add_argument("light", help="topic that takes ON and OFF")
parser.add_argument("--broker", default="127.0.0.1")
parser.add_argument("--port", type=int, default=1883)
options = parser.parse_args()
streams: set[str] = set()  # at which the event goes on


def on_connect(client: mqtt.Client, *_: Any) -> None:
    client.subscribe(options.state, qos=1)  # again after each reconnection


def on_message(client: mqtt.Client, _: Any, message: mqtt.MQTTMessage) -> None:
    before = bool(streams)
    if message.payload == b"ON":
        streams.add(message.topic)
    else:
        streams.discard(message.topic)
    if bool(streams) != before:
        client.publish(options.light, "ON" if streams else "OFF", qos=1)
        print("on" if streams else "off", flush=True)


client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
client.on_connect = on_connect
client.on_message = on_message
client.connect(options.broker, options.port)
try:
    client.loop_forever()  # connects again by itself
except KeyboardInterrupt:
    pass
