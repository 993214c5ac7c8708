# Rscript reference.R   (in this folder; base R alone; writes scores.tsv, adjusted_{alpha}.tsv)
# Claims that both of two sources show a gene, with one sign (Bogomolov & Heller 2018, Biometrika
# 105:505), each source selecting for the other at half of alpha. Adjusted p values by bisection on
# the claims themselves: the lowest level at which a gene is claimed, for the same selection.
share <- 0.2   # of the level, for the source that selects

claims <- function(p1, p2, same, selected1, selected2, level) {
  in_both <- which(selected1 & selected2 & same)
  for (r in rev(seq_along(in_both))) {           # the largest number of claims that bears itself out
    claimed <- in_both[p1[in_both] <= share * level * r / sum(selected2) &
                       p2[in_both] <= (1 - share) * level * r / sum(selected1)]
    if (length(claimed) >= r) return(claimed)
  }
  integer()
}

one_way <- function(p1, p2, same, alpha) {
  selected1 <- p.adjust(2 * p1, "BH") < alpha
  selected2 <- p2 <= (1 - share) * alpha / 2
  sapply(seq_along(p1), function(gene) {
    is_claimed <- function(level) gene %in% claims(p1, p2, same, selected1, selected2, level)
    if (!is_claimed(1)) return(1)
    low <- 0; high <- 1
    for (step in 1:50) {
      middle <- (low + high) / 2
      if (is_claimed(middle)) high <- middle else low <- middle
    }
    high
  })
}

set.seed(20)
genes <- 150
true <- cbind(c(rep(3.5, 30), rep(0, 120)), c(rep(2.6, 20), rep(0, 10), rep(3.5, 5), rep(0, 115)))
z <- round(true * sample(c(-1, 1), genes, TRUE) + matrix(rnorm(2 * genes), genes), 4)
z[1, 2] <- -z[1, 2]
write.table(data.frame(stimulation = z[, 1], serum = z[, 2]), "scores.tsv", sep = "\t",
            quote = FALSE, row.names = FALSE)
p <- pnorm(abs(z), lower.tail = FALSE)
same <- sign(z[, 1]) == sign(z[, 2])
for (alpha in c(0.05, 0.2)) {
  adjusted <- pmin(1, 2 * pmin(one_way(p[, 1], p[, 2], same, alpha),
                               one_way(p[, 2], p[, 1], same, alpha)))
  write(sprintf("%.10g", adjusted), sprintf("adjusted_%g.tsv", alpha), ncolumns = 1)
}
writeLines(R.version.string, "versions.txt")
