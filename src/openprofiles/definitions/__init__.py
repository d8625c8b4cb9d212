"""What a domain keeps by name. Each kind is a module, and a line in ``kinds`` if it has an ARN."""
