"""The words of `call` in `flags/factors.tsv` that say that a gene responds to the factor."""

RESPONSIVE = ("confirmed", "responsive")
