"""Profile objects: what object types say about them, and what becomes of each object."""
