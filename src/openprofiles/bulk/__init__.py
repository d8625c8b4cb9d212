"""The engine of large writes: what jobs need to write many profiles and keys. It knows no file and no mapping."""
