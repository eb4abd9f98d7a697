"""Measurements: run by `make bench` and `make eval`, never by the tests."""
