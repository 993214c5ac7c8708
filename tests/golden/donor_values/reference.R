# Rscript reference.R   (in this folder; reads ../limma and ../deseq2, writes the tables beside it)
suppressPackageStartupMessages({library(limma); library(edgeR); library(DESeq2)})
save <- function(x, file) {
  x[-1] <- lapply(x[-1], function(v) if (is.numeric(v)) sprintf("%.12g", v) else v)
  write.table(x, file, sep = "\t", quote = FALSE, row.names = FALSE)
}
logcpm <- function(counts, factors) {
  size <- colSums(counts) * factors
  t(log2((t(counts) + 0.5) / (size + 1) * 1e6))
}
# limma-trend of one column of values a donor; the trend is over the mean of all samples
one <- function(values, mean) {
  fit <- lmFit(values, matrix(1, ncol(values)))
  squeezed <- squeezeVar(fit$sigma^2, fit$df.residual, covariate = mean)
  df <- pmin(fit$df.residual + squeezed$df.prior, fit$df.residual * nrow(values))
  list(estimate = fit$coefficients[, 1], se = sqrt(squeezed$var.post / ncol(values)), df = df)
}
table_of <- function(genes, own) {
  p <- 2 * pt(-abs(own$estimate / own$se), own$df)
  data.frame(id = genes, logFC = own$estimate, se = own$se, df = own$df, p = p)
}

# parallel groups: changes by group; a difference and an average by Welch and Satterthwaite, on at
# most the degrees of freedom of a variance of all donors
counts <- as.matrix(read.delim("../limma/counts.tsv", row.names = 1, check.names = FALSE))
sheet <- read.delim("../limma/sheet.tsv", colClasses = "character")
stopifnot(identical(colnames(counts), sheet$sample))
values <- logcpm(counts, calcNormFactors(DGEList(counts))$samples$norm.factors)
mean <- rowMeans(values)
change <- function(g) {
  own <- sheet[sheet$group == g, ]
  own <- own[order(own$donor), ]
  values[, own$sample[own$time == "post"]] - values[, own$sample[own$time == "pre"]]
}
changes <- lapply(c(AT = "AT", RT = "RT"), change)
all <- lmFit(do.call(cbind, changes), cbind(rep(1:0, sapply(changes, ncol)), rep(0:1, sapply(changes, ncol))))
squeezed <- squeezeVar(all$sigma^2, all$df.residual, covariate = mean)
pooled <- pmin(all$df.residual + squeezed$df.prior, all$df.residual * nrow(values))
by_group <- lapply(changes, one, mean)
for (g in names(by_group)) save(table_of(rownames(counts), by_group[[g]]), paste0("parallel_", g, ".tsv"))
for (name in c("difference", "average")) {
  k <- list(difference = c(AT = -1, RT = 1), average = c(AT = .5, RT = .5))[[name]]
  part <- sapply(names(k), function(g) (k[[g]] * by_group[[g]]$se)^2)
  df <- rowSums(part)^2 / (part[, "AT"]^2 / by_group$AT$df + part[, "RT"]^2 / by_group$RT$df)
  own <- list(estimate = k[["AT"]] * by_group$AT$estimate + k[["RT"]] * by_group$RT$estimate,
              se = sqrt(rowSums(part)), df = pmin(df, pooled))
  save(table_of(rownames(counts), own), paste0("parallel_", name, ".tsv"))
}

# a crossover: differences and averages within donors that have both groups
counts <- as.matrix(read.delim(gzfile("../deseq2/crossover.counts.tsv.gz"), row.names = 1, check.names = FALSE))
sheet <- read.delim("crossover_sheet.tsv", colClasses = "character")
counts <- counts[rowSums(counts) >= 200, sheet$sample]
values <- logcpm(counts, calcNormFactors(DGEList(counts))$samples$norm.factors)
mean <- rowMeans(values)
changes <- lapply(c(AT = "AT", RT = "RT"), change)
named <- lapply(c(AT = "AT", RT = "RT"), function(g) sort(unique(sheet$donor[sheet$group == g])))
for (g in names(changes)) colnames(changes[[g]]) <- named[[g]]
both <- intersect(named$AT, named$RT)
own <- list(AT = changes$AT, RT = changes$RT,
            difference = changes$RT[, both] - changes$AT[, both],
            average = (changes$RT[, both] + changes$AT[, both]) / 2)
for (name in names(own)) save(table_of(rownames(counts), one(own[[name]], mean)), paste0("crossover_", name, ".tsv"))

# factors without some genes: every fifth of the crossover's
out <- seq_len(nrow(counts)) %% 5 == 1
kept <- counts[!out, ]
tmm <- calcNormFactors(DGEList(kept))$samples$norm.factors * colSums(kept) / colSums(counts)
dds <- DESeqDataSetFromMatrix(counts, data.frame(row.names = colnames(counts), x = seq_len(ncol(counts))), ~ 1)
dds <- estimateSizeFactors(dds, controlGenes = which(!out))
save(data.frame(id = colnames(counts), tmm = tmm / exp(mean(log(tmm))), size_factor = sizeFactors(dds)), "factors.tsv")
writeLines(c(R.version.string, sapply(c("limma", "edgeR", "DESeq2"), function(p) paste(p, packageVersion(p)))), "versions.txt")
