# Rscript reference.R   (in this folder; writes the reference tables beside it)
suppressPackageStartupMessages({library(limma); library(edgeR)})
counts <- as.matrix(read.delim("counts.tsv", row.names = 1, check.names = FALSE))
sheet <- read.delim("sheet.tsv", colClasses = "character")
stopifnot(identical(colnames(counts), sheet$sample))
save <- function(x, file) {
  x <- data.frame(id = rownames(x), x, check.names = FALSE)
  x[] <- lapply(x, function(v) if (is.numeric(v)) ifelse(is.na(v), "", sprintf("%.12g", v)) else v)
  write.table(x, file, sep = "\t", quote = FALSE, row.names = FALSE, na = "")
}

# edgeR's filter, with the samples' group and time instead of the donors
cells <- model.matrix(~ 0 + after_AT + after_RT, data = data.frame(
  after_AT = as.numeric(sheet$group == "AT" & sheet$time == "post"),
  after_RT = as.numeric(sheet$group == "RT" & sheet$time == "post")))
kept <- filterByExpr(counts, design = cells)
save(cbind(kept = kept + 0), "filter.tsv")

donors <- unique(sheet$donor)
blocks <- sapply(donors, function(d) as.numeric(sheet$donor == d))
design <- cbind(blocks, cells)
span <- min(0.3 + 0.7 * (50 / nrow(counts))^(1/3), 1)   # chooseLowessSpan of current limma
y <- calcNormFactors(DGEList(counts))
v <- voom(y, design, span = span)
save(y$samples[, c("lib.size", "norm.factors")], "norm_factors.tsv")
rownames(v$weights) <- rownames(v$E); colnames(v$weights) <- colnames(v$E)
save(v$weights, "weights.tsv")
fit <- lmFit(v, design)
save(cbind(fit$coefficients, sigma = fit$sigma, Amean = fit$Amean), "fit.tsv")

# each contrast as the last coefficient of a design of the same span
p <- ncol(design)
designs <- list(
  AT = cbind(blocks, cells[, 2], cells[, 1]),
  RT = design,
  difference = cbind(blocks, cells[, 1] + cells[, 2], cells[, 2]),
  average = cbind(blocks, cells[, 1] - cells[, 2], 2 * cells[, 2]))
contrasts <- cbind(AT = c(rep(0, p - 2), 1, 0), RT = c(rep(0, p - 2), 0, 1),
                   difference = c(rep(0, p - 2), -1, 1), average = c(rep(0, p - 2), .5, .5))
# the first sample of each donor, a pivot for each dense column, then the others: without weights
# the order of samples is of no matter, with weights limma's residual bases depend on it
orders <- list(AT = c(1:9, 11, 10, 12:18), RT = 1:18, difference = 1:18, average = 1:18)
lines <- strsplit(readLines("sets.gmt"), "\t")
sets <- setNames(lapply(lines, function(l) match(l[-(1:2)], rownames(counts))),
                 sapply(lines, `[`, 1))
for (name in colnames(contrasts)) {
  e <- eBayes(contrasts.fit(fit, contrasts[, name]))
  save(data.frame(logFC = e$coefficients[, 1], t = e$t[, 1], p = e$p.value[, 1],
                  df = e$df.total, se = sqrt(e$s2.post) * e$stdev.unscaled[, 1]),
       paste0("ebayes_", name, ".tsv"))
  for (kind in c("voom", "plain")) {
    o <- orders[[name]]
    input <- if (kind == "voom") v[, o] else v$E[, o]
    d <- designs[[name]][o, ]
    f <- fry(input, sets, d, contrast = p, sort = "none")
    c <- camera(input, sets, d, contrast = p, inter.gene.cor = NA, sort = FALSE)
    rownames(c) <- names(sets)
    save(data.frame(f[, c("NGenes", "Direction", "PValue", "PValue.Mixed")],
                    Correlation = c$Correlation, camera_direction = c$Direction,
                    camera_p = c$PValue),
         paste0("sets_", kind, "_", name, ".tsv"))
  }
}

q <- glmQLFit(estimateDisp(y, design), design)
for (name in c("RT", "difference")) {
  tab <- glmQLFTest(q, contrast = contrasts[, name])$table
  save(tab[, c("logFC", "F", "PValue")], paste0("edger_", name, ".tsv"))
}
writeLines(c(R.version.string, paste(c("limma", "edgeR", "statmod"),
  sapply(c("limma", "edgeR", "statmod"), function(x) as.character(packageVersion(x))))),
  "versions.txt")
