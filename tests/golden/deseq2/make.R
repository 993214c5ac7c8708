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
  keep <- c("baseMean", "dispGeneEst", "dispGeneIter", "dispFit", "dispMAP", "dispersion", "betaConv",
            "betaIter")
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
  invisible(dds)
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
paired <- dump("paired", counts, design, list(at = c(zero, 1, 0), difference = c(zero, -1, 1)))
paired_design <- design

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

# the paired cohort without its first donor: size factors, trend and prior held
whole <- dispersionFunction(paired)
kept <- paired_design[, 1] == 0
design <- paired_design[kept, -1]
rest <- DESeqDataSetFromMatrix(counts(paired)[, kept], data.frame(row.names = colnames(paired)[kept]), ~1)
sizeFactors(rest) <- sizeFactors(paired)[kept]
rest <- estimateDispersionsGeneEst(rest, quiet = TRUE, modelMatrix = design)
dispersionFunction(rest, estimateVar = FALSE) <- whole
mcols(rest)$dispFit <- mcols(paired)$dispFit
attr(rest@dispersionFunction, "varLogDispEsts") <- attr(whole, "varLogDispEsts")
rest <- estimateDispersionsMAP(rest, dispPriorVar = attr(whole, "dispPriorVar"), quiet = TRUE,
                               modelMatrix = design)
rest <- nbinomWaldTest(rest, modelMatrix = design, quiet = TRUE)
r <- as.data.frame(results(rest, contrast = c(rep(0, 11), -1, 1), independentFiltering = FALSE))
write_table(data.frame(gene = rownames(rest), genewise = mcols(rest)$dispGeneEst,
                       dispersion = dispersions(rest), lfc = r$log2FoldChange, se = r$lfcSE,
                       p = r$pvalue), "paired.without_D01")

# sparse genes: a crossover of 5 donors, 10 pairs with a covariate, 3 groups with two covariates
sparse <- function(name, design, changes, contrasts) {
  genes <- 400
  mean <- exp(c(rnorm(150, 4, 1.5), rnorm(250, 0, 0.7)))
  dispersion <- (0.05 + 4 / mean) * exp(rnorm(genes, 0, 0.5))
  effect <- matrix(0, genes, ncol(design))
  effect[, changes] <- ifelse(runif(genes * length(changes)) < 0.3,
                              rnorm(genes * length(changes), 0, 1.5), 0)
  depth <- exp(rnorm(nrow(design), 0, 0.3))
  counts <- negative_binomial(mean * exp(effect %*% t(design)) * rep(depth, each = genes),
                              dispersion)
  dump(name, counts[rowSums(counts) >= 10, ], design, contrasts)
}
indicators <- function(labels) {
  values <- sapply(unique(labels), function(l) as.numeric(labels == l))
  colnames(values) <- sprintf("donor[D%02d]", unique(labels))
  values
}
set.seed(11)
arm <- rep(c(0, 0, 1, 1), 5)
after <- rep(0:1, 10)
sparse("crossover", cbind(indicators(rep(1:5, each = 4)), `group[RT]` = arm,
                          `after[AT]` = after * (arm == 0), `after[RT]` = after * arm), 7:8,
       list(at = c(rep(0, 6), 1, 0), difference = c(rep(0, 6), -1, 1)))
set.seed(12)
arm <- rep(0:1, each = 10)
sparse("covariate", cbind(indicators(rep(1:10, each = 2)), `after[AT]` = after * (arm == 0),
                          `after[RT]` = after * arm, hours = round(rnorm(20), 2)), 11:12,
       list(at = c(rep(0, 10), 1, 0, 0), difference = c(rep(0, 10), -1, 1, 0)))
set.seed(13)
group <- rep(1:3, each = 4)
sparse("ages", cbind(`group[A]` = group == 1, `group[B]` = group == 2, `group[C]` = group == 3,
                     age = round(rnorm(12, 0, 1.2), 2), sex = rep(0:1, 6)), 2:3,
       list(baseline = c(-1, 0, 1, 0, 0)))
