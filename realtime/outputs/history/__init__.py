"""What happened, kept in a database: events with their evidence, their clips, what people said."""
