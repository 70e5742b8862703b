"""What edges and recognizers say to one another: records, pictures, addresses."""
