"""What programs import: `recognize` for sources, `Recognizer` for those with their own capture."""
