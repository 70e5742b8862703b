"""What a person sees in a terminal: a dashboard, or lines."""
