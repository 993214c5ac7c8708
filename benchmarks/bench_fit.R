# Rscript bench_fit.R <voom|deseq2|edger> <folder with counts.tsv, design.tsv, contrasts.tsv>
# Prints: seconds, peak GB of R's heap, genes called at FDR 0.05 for each contrast.
arguments <- commandArgs(TRUE)
counts <- as.matrix(read.delim(file.path(arguments[2], "counts.tsv"), row.names = 1))
design <- as.matrix(read.delim(file.path(arguments[2], "design.tsv"), row.names = 1))
contrasts <- t(as.matrix(read.delim(file.path(arguments[2], "contrasts.tsv"), header = FALSE)))
colnames(design) <- rownames(contrasts) <- paste0("c", seq_len(ncol(design)))
suppressMessages(library(limma))
suppressMessages(library(edgeR))
if (arguments[1] == "deseq2") suppressMessages(library(DESeq2))
padj <- switch(arguments[1],
  voom = function() {
    d <- calcNormFactors(DGEList(counts))
    fit <- eBayes(contrasts.fit(lmFit(voom(d, design), design), contrasts))
    lapply(1:2, function(i) topTable(fit, coef = i, number = Inf, sort.by = "none")$adj.P.Val)
  },
  deseq2 = function() {
    dds <- DESeqDataSetFromMatrix(counts, data.frame(row.names = colnames(counts)), ~1)
    dds <- DESeq(dds, full = design, betaPrior = FALSE, quiet = TRUE)
    lapply(1:2, function(i) results(dds, contrast = contrasts[, i], alpha = 0.05)$padj)
  },
  edger = function() {
    d <- estimateDisp(calcNormFactors(DGEList(counts)), design)
    fit <- glmQLFit(d, design)
    lapply(1:2, function(i) p.adjust(glmQLFTest(fit, contrast = contrasts[, i])$table$PValue, "BH"))
  })
invisible(gc(reset = TRUE))
seconds <- suppressMessages(system.time(columns <- padj()))["elapsed"]
memory <- gc()
calls <- sapply(columns, function(p) sum(p < 0.05, na.rm = TRUE))
cat(seconds, sum(memory[, 6]) / 1024, calls, "\n")
