"""Programs beside the recognizer: what subscribes to its socket, and what makes its keys."""
