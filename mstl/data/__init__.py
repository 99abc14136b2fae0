"""Scans in: volumes, cohorts, preparation, synthetic cohorts, augmentation, batches."""
