"""A replay as one self-contained page, on which thresholds can be moved and the counts follow."""
