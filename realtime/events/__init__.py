"""From what each decision says of each label to events."""
