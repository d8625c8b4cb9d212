"""Where the columns of a file go."""
