# Simulates the counts and writes DESeq2's intermediate and final values: Rscript make.R <this folder>
suppressMessages(library(DESeq2))
folder <- commandArgs(TRUE)[1]
set.seed(20240229)

write_table <- function(x, name) {
  connection <- gzfile(file.path(folder, paste0(name, ".tsv.gz")), "w")
  write.table(x, connection, sep = "\t", quote = FALSE, row.names = FALSE)
  close(connection)
}

dump <- function(name, counts, design_matrix, contrasts, group = NULL) {
  rownames(counts) <- sprintf("g%03d", seq_len(nrow(counts)))
  colnames(counts) <- sprintf("s%02d", seq_len(ncol(counts)))
  rownames(design_matrix) <- colnames(counts)
  write_table(data.frame(gene = rownames(counts), counts), paste0(name, ".counts"))
  write_table(data.frame(sample = rownames(design_matrix), design_matrix, check.names = FALSE),
              paste0(name, ".design"))
  sheet <- data.frame(sample = colnames(counts), row.names = colnames(counts))
  if (is.null(group)) {
    dds <- DESeqDataSetFromMatrix(counts, sheet, ~1)
    dds <- suppressMessages(DESeq(dds, full = design_matrix, betaPrior = FALSE, quiet = TRUE))
  } else {
    # the same model, as a formula: DESeq2 spares some outliers where the design is one factor
    sheet$group <- factor(group)
    dds <- suppressMessages(DESeq(DESeqDataSetFromMatrix(counts, sheet, ~group), quiet = TRUE))
  }
  genes <- as.data.frame(mcols(dds))
  keep <- c("baseMean", "dispGeneEst", "dispGeneIter", "dispFit", "dispMAP", "dispersion", "betaConv")
  table <- data.frame(gene = rownames(dds), genes[, keep])
  for (contrast in names(contrasts)) {
    r <- as.data.frame(results(dds, contrast = contrasts[[contrast]], alpha = 0.05))
    t <- as.data.frame(results(dds, contrast = contrasts[[contrast]], alpha = 0.05,
                               lfcThreshold = 0.5))
    table[paste0(contrast, c(".lfc", ".se", ".stat", ".p", ".padj"))] <- r[, 2:6]
    table[paste0(contrast, ".threshold_p")] <- t$pvalue
  }
  write_table(table, paste0(name, ".genes"))
  f <- dispersionFunction(dds)
  write_table(data.frame(a0 = attr(f, "coefficients")[1], a1 = attr(f, "coefficients")[2],
                         prior = attr(f, "dispPriorVar"), squared = attr(f, "varLogDispEsts"),
                         t(sizeFactors(dds))), paste0(name, ".model"))
}

negative_binomial <- function(mean, dispersion) {
  matrix(rnbinom(length(mean), mu = mean, size = 1 / dispersion), nrow(mean))
}

# 6 donors in each of two groups, before and after
genes <- 500
donor <- rep(1:12, each = 2)
after <- rep(0:1, 12)
group <- rep(c("AT", "RT"), each = 12)
mean <- exp(rnorm(genes, 4.5, 1.8))
dispersion <- (0.02 + 1.5 / mean) * exp(rnorm(genes, 0, 0.4))
response <- ifelse(runif(genes) < 0.3, rnorm(genes, 0, 0.8), 0)
difference <- ifelse(runif(genes) < 0.3, rnorm(genes, 0, 0.8), 0)
levels <- matrix(rnorm(genes * 12, 0, 0.3), genes)[, donor]
effect <- outer(response, after) + outer(difference, after * (group == "RT"))
depth <- exp(rnorm(24, 0, 0.3))
counts <- negative_binomial(exp(log(mean) + levels + effect) * rep(depth, each = genes), dispersion)
counts[1, ] <- 0
counts[2, ] <- 0; counts[2, 5] <- 7
counts[3, after == 1] <- 0
counts[4, donor == 3] <- 0
design <- sapply(1:12, function(d) as.numeric(donor == d))
colnames(design) <- sprintf("donor[D%02d]", 1:12)
design <- cbind(design, `after[AT]` = after * (group == "AT"), `after[RT]` = after * (group == "RT"))
zero <- rep(0, 12)
dump("paired", counts, design, list(at = c(zero, 1, 0), difference = c(zero, -1, 1)))

# 9 against 4 donors, no blocks, with outlying counts: replaced in the larger group, filtered in
# the smaller
group <- rep(0:1, c(9, 4))
depth <- exp(rnorm(13, 0, 0.3))
counts <- negative_binomial(exp(log(mean) + outer(response, group)) * rep(depth, each = genes),
                            dispersion)
for (gene in 11:30) counts[gene, sample(13, 1)] <- round(60 * mean[gene] + 500)
design <- cbind(`group[AT]` = 1 - group, `group[RT]` = group)
dump("groups", counts, design, list(baseline = c(0, 1)), group)

# 3 pairs: few residual degrees of freedom
donor <- rep(1:3, each = 2)
after <- rep(0:1, 3)
depth <- exp(rnorm(6, 0, 0.2))
levels <- matrix(rnorm(genes * 3, 0, 0.3), genes)[, donor]
counts <- negative_binomial(exp(log(mean) + levels + outer(response, after)) *
                              rep(depth, each = genes), dispersion)
design <- sapply(1:3, function(d) as.numeric(donor == d))
colnames(design) <- sprintf("donor[D%d]", 1:3)
design <- cbind(design, after = after)
dump("three_pairs", counts, design, list(after = c(0, 0, 0, 1)))
