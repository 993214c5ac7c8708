# Rscript reference.R   (in this folder; writes changes.tsv and versions.txt beside it)
library(limma)
values <- read.delim("values.tsv")
group <- factor(values$group, levels = c("AT", "RT"))
row <- function(fit, coefficient, name) {
  table <- topTable(fit, coef = coefficient, number = Inf, sort.by = "none", confint = TRUE)
  data.frame(contrast = name, molecule = rownames(fit$coefficients), change = table$logFC,
             low = table$CI.L, high = table$CI.R, p = table$P.Value)
}
one <- function(level) {
  own <- t(values[values$group == level, -(1:2)])
  row(eBayes(lmFit(own, matrix(1, ncol(own), 1))), 1, level)
}
both <- t(values[, -(1:2)])
design <- model.matrix(~ 0 + group)
fit <- eBayes(contrasts.fit(lmFit(both, design), c(-1, 1)))
table <- rbind(one("AT"), one("RT"), row(fit, 1, "difference"))
table[-(1:2)] <- lapply(table[-(1:2)], function(v) sprintf("%.12g", v))
write.table(table, "changes.tsv", sep = "\t", quote = FALSE, row.names = FALSE)
writeLines(c(R.version.string, paste("limma", packageVersion("limma"))), "versions.txt")
