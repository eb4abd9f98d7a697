"""Answer quality over the shipped questions and public data, through the real index and engine: `make eval`."""
