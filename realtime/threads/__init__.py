"""A step in a thread, work in a thread that ends, and the bounded queue between two."""
