# Simulates pairs in which all genes double and spike-ins do not, and writes what DESeq2 makes of
# them with size factors of the spike-ins, and with given ones: Rscript reference.R <this folder>
suppressMessages({library(DESeq2); library(limma)})
folder <- commandArgs(TRUE)[1]
set.seed(20250301)
save <- function(x, name) {
  write.table(format(x, digits = 12, trim = TRUE), file.path(folder, name), sep = "\t", quote = FALSE,
              row.names = FALSE)
}
genes <- 200; spikes <- 15; donors <- 5
donor <- factor(rep(sprintf("D%d", 1:donors), each = 2))
after <- rep(0:1, donors)
depth <- exp(rnorm(2 * donors, 0, 0.4))
level <- exp(rnorm(genes, 4.5, 1.3)) * exp(matrix(rnorm(genes * donors, 0, 0.2), genes))[, rep(1:donors, each = 2)]
level <- level * rep(2^after, each = genes)
means <- rbind(level, matrix(exp(rnorm(spikes, 5, 1)), spikes, 2 * donors)) * rep(depth, each = genes + spikes)
counts <- matrix(rnbinom(length(means), mu = means, size = 40), nrow(means))
counts[genes + 1, 3] <- 0
rownames(counts) <- c(sprintf("g%03d", 1:genes), sprintf("ERCC-%05d", 1:spikes))
colnames(counts) <- sprintf("%s_%s", donor, ifelse(after == 1, "post", "pre"))
sheet <- data.frame(donor = donor, after = after, row.names = colnames(counts))
controls <- which(grepl("^ERCC", rownames(counts)))

whole <- DESeqDataSetFromMatrix(counts, sheet, ~ donor + after)
spiked <- sizeFactors(estimateSizeFactors(whole, controlGenes = controls))
given <- depth / exp(mean(log(depth)))
save(data.frame(gene = rownames(counts), counts, check.names = FALSE), "counts.tsv")
save(data.frame(sample = colnames(counts), sheet, spike_ins = spiked, given = given), "sheet.tsv")
for (name in c("spike_ins", "given")) {
  dds <- DESeqDataSetFromMatrix(counts[-controls, ], sheet, ~ donor + after)
  sizeFactors(dds) <- if (name == "given") given else spiked
  r <- as.data.frame(results(suppressMessages(DESeq(dds, quiet = TRUE)), name = "after",
                             independentFiltering = FALSE))
  own <- sizeFactors(dds)
  e <- voom(counts[-controls, ], model.matrix(~ donor + after),
            lib.size = own * exp(mean(log(colSums(counts[-controls, ]))) - mean(log(own))))$E
  save(data.frame(gene = rownames(r), baseMean = r$baseMean, lfc = r$log2FoldChange, se = r$lfcSE,
                  p = r$pvalue, first = e[, 1], last = e[, ncol(e)]), paste0(name, ".tsv"))
}
writeLines(c(R.version.string, paste("DESeq2", packageVersion("DESeq2")), paste("limma", packageVersion("limma"))),
           file.path(folder, "versions.txt"))
