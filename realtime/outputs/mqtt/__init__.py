"""Events and states for an MQTT broker, and for Home Assistant behind it."""
