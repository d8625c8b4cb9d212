"""The console: pages for people who load files and look customers up, served beside the API."""
