# Rscript reference.R   (in this folder; writes the reference tables beside it)
# Counts and sheet are those of ../limma; outcome.tsv holds a made-up outcome of each sample.
suppressPackageStartupMessages({library(limma); library(edgeR)})
counts <- as.matrix(read.delim("../limma/counts.tsv", row.names = 1, check.names = FALSE))
sheet <- read.delim("../limma/sheet.tsv", colClasses = "character")
sheet$outcome <- read.delim("outcome.tsv")$thickness
stopifnot(identical(colnames(counts), sheet$sample))
save <- function(fit, file) {
  x <- topTable(fit, coef = "change", number = Inf, sort.by = "none", confint = TRUE)
  x <- data.frame(id = rownames(x), slope = x$logFC, ci_low = x$CI.L, ci_high = x$CI.R,
                  pvalue = x$P.Value, padj = x$adj.P.Val, df = fit$df.total)
  x[-1] <- lapply(x[-1], function(v) sprintf("%.12g", v))
  write.table(x, file, sep = "\t", quote = FALSE, row.names = FALSE)
}
before <- subset(sheet, time == "pre"); after <- subset(sheet, time == "post")
change <- after$outcome[match(before$donor, after$donor)] - before$outcome
names(change) <- before$donor
change <- change[!is.na(change)]
voomed <- function(own, cells, design) {
  y <- DGEList(counts[filterByExpr(counts[, own$sample], design = cells), own$sample])
  y <- calcNormFactors(y)
  span <- min(0.3 + 0.7 * (50 / nrow(y))^(1/3), 1)   # chooseLowessSpan of current limma
  eBayes(lmFit(voom(y, design, span = span), design))
}

# change: donors as fixed effects, the outcome's change on the after sample, not centred
own <- subset(sheet, donor %in% names(change))
cells <- cbind(after_AT = as.numeric(own$group == "AT" & own$time == "post"),
               after_RT = as.numeric(own$group == "RT" & own$time == "post"))
blocks <- sapply(names(change), function(d) as.numeric(own$donor == d))
x <- change[own$donor] * (own$time == "post")
save(voomed(own, cells, cbind(blocks, cells, change = x)), "change.tsv")

# baseline: the samples before, groups, the outcome's change of their donors
own <- subset(before, donor %in% names(change))
cells <- cbind(AT = as.numeric(own$group == "AT"), RT = as.numeric(own$group == "RT"))
save(voomed(own, cells, cbind(cells, change = change[own$donor])), "baseline.tsv")
writeLines(c(R.version.string, paste(c("limma", "edgeR"),
  sapply(c("limma", "edgeR"), function(x) as.character(packageVersion(x))))), "versions.txt")
