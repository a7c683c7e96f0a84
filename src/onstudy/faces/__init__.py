"""What people touch: the command line, the Python API, the web. Thin; every line of thinking lives below."""
