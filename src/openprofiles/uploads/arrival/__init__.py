"""How a file arrives, and where it waits encrypted for its load."""
