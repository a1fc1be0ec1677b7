"""Stage 2: formula to columns."""
