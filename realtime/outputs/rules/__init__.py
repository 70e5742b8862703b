"""What is done about events: rules, profiles, and the targets that they tell."""
