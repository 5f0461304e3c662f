"""What the product can do, as ratios taken in one run: ``make bench``."""
