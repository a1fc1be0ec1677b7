"""Stage 3: the one model, theta to sums."""
