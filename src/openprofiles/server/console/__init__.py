"""The console: pages for people who import files and look up customers, served next to the API."""
