"""The ZeroMQ event socket: who may come in, what they are sent, and what they have missed."""
