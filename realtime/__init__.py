"""The live recognizer: time, windows, threads, events and outputs around MAFnet."""
