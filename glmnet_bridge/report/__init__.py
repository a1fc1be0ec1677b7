"""Stage 6: what people see."""
