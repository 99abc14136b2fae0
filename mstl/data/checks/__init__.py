"""The rules of the doctor: each looks at what was measured of a case, of a cohort, or of two sides of a split."""
