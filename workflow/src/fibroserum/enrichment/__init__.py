"""Gene-set enrichment: sets, self-contained and competitive tests, scores, calls."""
