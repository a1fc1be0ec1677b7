"""Stage 1: where rows come from."""
