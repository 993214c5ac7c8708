# Partial conjunction of at least two of k one-sided p values (Benjamini & Heller 2008), Fisher's
# combination of all but the smallest; both directions; Benjamini and Hochberg over the rows.
set.seed(21)
rows <- 60
most <- 6
k <- rep(2:most, length.out = rows)
text <- function(x) trimws(formatC(x, digits = 15, format = "g"))
z <- matrix(rnorm(rows * most), rows)
# a third shared by all cohorts, a third in the first alone, of which half against the others
shared <- seq_len(rows) %% 3 == 0
z[shared, ] <- z[shared, ] + sample(c(-3, 3), sum(shared), replace = TRUE)
single <- seq_len(rows) %% 3 == 1
z[single, 1] <- z[single, 1] + 5
z[seq_len(rows) %% 6 == 1, 2] <- z[seq_len(rows) %% 6 == 1, 2] - 5
z[outer(k, seq_len(most), "<")] <- NA
up <- pt(z, df = 9, lower.tail = FALSE)
down <- pt(z, df = 9)
two_of <- function(p) {
  p <- sort(p)
  pchisq(-2 * sum(log(p[-1])), df = 2 * (length(p) - 1), lower.tail = FALSE)
}
both <- cbind(apply(up, 1, two_of), apply(down, 1, two_of))
pvalue <- pmin(apply(both, 1, min) * ifelse(k > 3, 2, 1), 1)
out <- data.frame(k, apply(z, 2, text))
names(out)[-1] <- paste0("t", seq_len(most))
out$up <- text(both[, 1])
out$down <- text(both[, 2])
out$pvalue <- text(pvalue)
out$direction <- ifelse(both[, 1] < both[, 2], "up", "down")
out$padj <- text(p.adjust(pvalue, "BH"))
write.table(out, "replicated.tsv", sep = "\t", quote = FALSE, row.names = FALSE)
writeLines(R.version.string, "versions.txt")
