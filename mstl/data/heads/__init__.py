"""Synthetic heads: anatomy, lesions, what lies around the brain, and the scanners that see them."""
