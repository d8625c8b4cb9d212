"""Files that are tables but not CSV, turned into CSV before they are loaded."""
