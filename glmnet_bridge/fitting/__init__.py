"""Stage 4: from rows to theta."""
