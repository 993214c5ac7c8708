# Confident log2 fold changes by their definition, from the p values of limma's treat().
suppressMessages(library(limma))
set.seed(20)
genes <- 400
donors <- 7
effect <- ifelse(runif(genes) < 0.3, rnorm(genes, sd = 0.6), 0)
sd <- sqrt(0.09 * 6 / rchisq(genes, 6))
values <- effect + sd * matrix(rnorm(genes * donors), genes)
fit <- eBayes(lmFit(values, matrix(1, donors, 1)))
estimate <- fit$coefficients[, 1]
error <- fit$stdev.unscaled[, 1] * sqrt(fit$s2.post)
text <- function(x) trimws(formatC(x, digits = 15, format = "g"))
out <- data.frame(
  estimate = text(estimate), error = text(error), df = text(fit$df.total),
  treat_0 = text(fit$p.value[, 1]),
  treat_0.13 = text(treat(fit, lfc = 0.13)$p.value[, 1]),
  treat_0.5 = text(treat(fit, lfc = 0.5)$p.value[, 1]), check.names = FALSE)

# step by step, among the genes that are left from the step before
confident <- function(alpha) {
  found <- rep(0, genes)
  left <- seq_len(genes)
  step <- 0
  while (length(left)) {
    p <- treat(fit, lfc = step / 100)$p.value[left, 1]
    # Benjamini and Hochberg's rule for all genes: those that are gone are no longer significant
    ranked <- sort(p)
    passed <- which(ranked <= alpha * seq_along(ranked) / genes)
    left <- if (length(passed)) left[p <= ranked[max(passed)]] else integer()
    # the same among all genes, without nesting
    all <- p.adjust(treat(fit, lfc = step / 100)$p.value[, 1], "BH")
    stopifnot(setequal(left, which(all <= alpha)))
    found[left] <- step / 100
    step <- step + 1
  }
  sign(estimate) * found
}
for (alpha in c(0.01, 0.05, 0.2)) out[[paste0("confident_", alpha)]] <- confident(alpha)
write.table(out, "confident.tsv", sep = "\t", quote = FALSE, row.names = FALSE)
writeLines(c(R.version.string, paste("limma", packageVersion("limma"))), "versions.txt")
