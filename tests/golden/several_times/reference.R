# Rscript reference.R   (in this folder; reads counts.tsv.gz and sheet.tsv, writes the tables beside them)
suppressPackageStartupMessages({library(limma); library(edgeR)})
counts <- as.matrix(read.delim(gzfile("counts.tsv.gz"), row.names = 1, check.names = FALSE))
sheet <- read.delim("sheet.tsv", colClasses = "character")
counts <- counts[, sheet$sample]
size <- colSums(counts) * calcNormFactors(DGEList(counts))$samples$norm.factors
values <- t(log2((t(counts) + 0.5) / (size + 1) * 1e6))
groups <- c("AT", "RT", "control")
# a value for each donor that has the times; limma-trend of the groups' means of these values
test <- function(name, plus, minus, weights) {
  own <- split(sheet, sheet$donor)
  own <- own[sapply(own, function(s) all(c(plus, minus) %in% s$time))]
  value <- sapply(own, function(s) values[, s$sample[s$time == plus]] - values[, s$sample[s$time == minus]])
  group <- factor(sapply(own, function(s) s$group[1]), groups)
  design <- model.matrix(~ 0 + group)
  fit <- lmFit(value, design)
  fit$Amean <- rowMeans(values)
  fit <- eBayes(contrasts.fit(fit, matrix(weights, ncol = 1)), trend = TRUE)
  se <- sqrt(fit$s2.post) * fit$stdev.unscaled[, 1]
  out <- data.frame(id = rownames(counts), logFC = fit$coefficients[, 1], se = se, df = fit$df.total, p = fit$p.value[, 1])
  out[-1] <- lapply(out[-1], function(v) sprintf("%.12g", v))
  write.table(out, paste0(name, ".tsv"), sep = "\t", quote = FALSE, row.names = FALSE)
}
test("RT_week16_vs_pre", "week16", "pre", c(0, 1, 0))
test("RT_vs_AT_change_week8", "week8", "pre", c(-1, 1, 0))
test("exercise", "week16", "pre", c(.5, .5, -1))
test("late", "week16", "week8", c(.5, .5, 0))
writeLines(c(R.version.string, paste("limma", packageVersion("limma")), paste("edgeR", packageVersion("edgeR"))), "versions.txt")
