"""Load: people who type at the real server, editors who save meanwhile, and what must not disturb either."""
