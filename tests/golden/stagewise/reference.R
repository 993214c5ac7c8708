# Stage-wise adjusted p values in base R, written from the papers: Van den Berge et al. 2017 (Genome
# Biol 18:151), Heller et al. 2009 (Bioinformatics 25:1019). Run: Rscript reference.R
# A decision at one level, as stageR makes it; the adjusted p value is the lowest level at which a
# hypothesis is confirmed, found by bisection on those decisions.

simes <- function(p) {
  p <- sort(p[!is.na(p)])
  if (!length(p)) return(NA)
  min(p * length(p) / seq_along(p))
}

confirmed <- function(p, alpha) {
  screen <- p.adjust(apply(p, 1, simes), "BH")
  passed <- !is.na(screen) & screen <= alpha
  level <- alpha * sum(passed) / sum(!is.na(screen))
  out <- matrix(FALSE, nrow(p), ncol(p))
  for (i in which(passed)) {
    known <- which(!is.na(p[i, ]))
    n <- length(known)
    # step down: one hypothesis is false, so at most n - 1 are true at the first step
    for (j in seq_along(known)) {
      at <- known[order(p[i, known])[j]]
      if (p[i, at] > level / max(min(n - 1, n - j + 1), 1)) break
      out[i, at] <- TRUE
    }
  }
  out
}

adjusted <- function(p) {
  out <- matrix(NA_real_, nrow(p), ncol(p))
  for (at in which(!is.na(p))) {
    if (!confirmed(p, 1)[at]) { out[at] <- 1; next }
    low <- 0
    high <- 1
    for (step in 1:90) {
      middle <- (low + high) / 2
      if (confirmed(p, middle)[at]) high <- middle else low <- middle
    }
    out[at] <- high
  }
  out
}

set.seed(1)
panel <- matrix(runif(60), 12, 5)
panel[1:4, ] <- panel[1:4, ]^6
panel[5:6, 2] <- c(1e-4, 4e-3)
panel[3, 4] <- NA
panel[8, 2:5] <- NA
panel[12, ] <- NA
one <- matrix(c(runif(4)^4, runif(4)), 8, 1)
write <- function(x, name) {
  colnames(x) <- paste0("C", seq_len(ncol(x)))
  write.table(x, name, sep = "\t", quote = FALSE, row.names = FALSE, na = "")
}
options(digits = 15)
write(panel, "panel.tsv")
write(adjusted(panel), "panel_adjusted.tsv")
write(one, "one.tsv")
write(adjusted(one), "one_adjusted.tsv")
for (alpha in c(0.01, 0.05, 0.2)) {
  write(1 * confirmed(panel, alpha), sprintf("panel_confirmed_%g.tsv", alpha))
}
