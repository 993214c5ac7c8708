"""Genes that respond to a circulating factor: evidence, combination, concordance."""
