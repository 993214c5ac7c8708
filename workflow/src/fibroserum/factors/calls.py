"""Words of `flags/factors.tsv` and `flags/factor_pairs.tsv` that the report looks for."""

#: Calls of a gene that responds to the factor.
RESPONSIVE = ("confirmed", "responsive")
#: What the reason of every pair begins with where no pair of the factor can be used.
UNAVAILABLE = "serum evidence unavailable: "
