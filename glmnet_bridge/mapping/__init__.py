"""Stage 5: network to GLM and back."""
