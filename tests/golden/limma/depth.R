# Rscript depth.R   (in this folder; writes counts_shallow.tsv and depth_*.tsv beside it)
# The cohort with its post samples thinned to a quarter (edgeR's thinCounts). Each count is replaced
# by the mean of log2(thinned + 0.5) over all binomial thinnings to the depth of its donor's
# shallower sample, summed over dbinom; weights by voom's trend at the gene's mean and the depth.
suppressPackageStartupMessages({library(limma); library(edgeR)})
set.seed(1)
counts <- as.matrix(read.delim("counts.tsv", row.names = 1, check.names = FALSE))
sheet <- read.delim("sheet.tsv", colClasses = "character")
stopifnot(identical(colnames(counts), sheet$sample))
post <- sheet$time == "post"
counts[, post] <- thinCounts(counts[, post], prob = 0.25)
save <- function(x, file) {
  x <- data.frame(gene_id = rownames(x), x, check.names = FALSE)
  x[] <- lapply(x, function(v) if (is.numeric(v)) sprintf("%.12g", v) else v)
  write.table(x, file, sep = "\t", quote = FALSE, row.names = FALSE)
}
save(counts, "counts_shallow.tsv")

y <- calcNormFactors(DGEList(counts))
size <- y$samples$lib.size * y$samples$norm.factors
smallest <- ave(size, sheet$donor, FUN = min)
mean_log2 <- function(y, p) sum(dbinom(0:y, y, p) * log2(0:y + 0.5))
offset <- log2((smallest + 1) / 1e6)
E <- sapply(seq_along(size), function(j)
  sapply(counts[, j], mean_log2, p = smallest[j] / size[j]) - offset[j])
dimnames(E) <- dimnames(counts)
save(E, "depth_values.tsv")

donors <- unique(sheet$donor)
blocks <- sapply(donors, function(d) as.numeric(sheet$donor == d))
after <- sapply(c("AT", "RT"), function(g) as.numeric(sheet$group == g & post))
design <- cbind(blocks, after)
span <- min(0.3 + 0.7 * (50 / nrow(counts))^(1/3), 1)   # chooseLowessSpan of current limma
sigma <- lmFit(E, design)$sigma
line <- lowess(rowMeans(E) + mean(offset), sqrt(sigma), f = span)
weights <- approxfun(line, rule = 2, ties = list("ordered", mean))(outer(rowMeans(E), offset, "+"))^-4
weights <- matrix(weights, nrow(E), dimnames = dimnames(E))
save(weights, "depth_weights.tsv")

# samples in the order this project uses (see reference.R)
lines <- strsplit(readLines("sets.gmt"), "\t")
sets <- setNames(lapply(lines, function(l) match(l[-(1:2)], rownames(counts))),
                 sapply(lines, `[`, 1))
v <- new("EList", list(E = E, weights = weights))
f <- fry(v, sets, design, contrast = ncol(design), sort = "none")
c <- camera(v, sets, design, contrast = ncol(design), inter.gene.cor = NA, sort = FALSE)
save(data.frame(row.names = names(sets), direction = f$Direction, fry_p = f$PValue,
                fry_mixed_p = f$PValue.Mixed, camera_p = c$PValue), "depth_sets_RT.tsv")
