"""What is wrong with rows that are not loaded, and what stands in them."""
