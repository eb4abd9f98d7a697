"""Hybrid search here and in the libraries that people would use instead: `make bench-peers DATA=folder`."""
