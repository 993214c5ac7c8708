# Rscript reference.R   (in this folder; reads counts.tsv and sheet.tsv, writes the other tables)
suppressPackageStartupMessages({library(limma); library(edgeR); library(DESeq2)})
save <- function(x, file) {
  x[-1] <- lapply(x[-1], function(v) if (is.numeric(v)) sprintf("%.12g", v) else v)
  write.table(x, file, sep = "\t", quote = FALSE, row.names = FALSE)
}
counts <- as.matrix(read.delim("counts.tsv", row.names = 1, check.names = FALSE))
sheet <- read.delim("sheet.tsv")
stopifnot(identical(colnames(counts), sheet$sample))
factors <- calcNormFactors(DGEList(counts))$samples$norm.factors
size <- colSums(counts) * factors
values <- t(log2((t(counts) + 0.5) / (size + 1) * 1e6))
save(data.frame(sample = sheet$sample, tmm = factors), "factors.tsv")

# limma-trend on each donor's change at week8; the trend is over the mean of all samples
pre <- sheet[sheet$time == "pre", ]
changes <- values[, paste0(pre$donor, "_week8")] - values[, pre$sample]
group <- factor(pre$group, c("AT", "RT", "control"))
moderated <- function(design, contrasts) {
  fit <- contrasts.fit(lmFit(changes, design), contrasts)
  fit$Amean <- rowMeans(values)
  eBayes(fit, trend = TRUE)
}
design <- model.matrix(~ 0 + group)
fit <- moderated(design, makeContrasts(groupRT - groupAT, groupcontrol - groupAT, levels = design))
save(data.frame(gene = rownames(counts), F = fit$F, df2 = fit$df.total, p = fit$F.p.value), "limma_groups.tsv")
centred <- pre$sessions - ave(pre$sessions, pre$group)
design <- cbind(design, sapply(levels(group), function(g) (group == g) * centred))
colnames(design) <- c("A", "R", "C", "dose_A", "dose_R", "dose_C")
fit <- moderated(design, makeContrasts(dose_R, dose_R - dose_A, levels = design))
save(data.frame(gene = rownames(counts), slope = fit$coefficients[, 1], p = fit$p.value[, 1],
                difference = fit$coefficients[, 2], difference_p = fit$p.value[, 2]), "limma_dose.tsv")

# DESeq2's likelihood ratio tests
donors <- model.matrix(~ 0 + donor, sheet)
arms <- c(outer(c("AT", "RT", "control"), c("week8", "week16"), paste))
after <- sapply(arms, function(a) as.numeric(paste(sheet$group, sheet$time) == a))
full <- cbind(donors, after)
reduced <- list(
  groups = cbind(donors, week8 = rowSums(after[, 1:3]), after[, 4:6]),
  times = cbind(donors, AT = rowSums(after[, c(1, 4)]), RT = rowSums(after[, c(2, 5)]), C = rowSums(after[, c(3, 6)])))
dds <- estimateSizeFactors(DESeqDataSetFromMatrix(counts, sheet, ~ 1))
dds <- estimateDispersions(dds, modelMatrix = full, quiet = TRUE)
for (name in names(reduced)) {
  out <- nbinomLRT(dds, full = full, reduced = reduced[[name]], quiet = TRUE)
  found <- results(out, cooksCutoff = FALSE, independentFiltering = FALSE)
  save(data.frame(gene = rownames(dds), stat = found$stat, p = found$pvalue), paste0("deseq2_", name, ".tsv"))
}
save(data.frame(sample = sheet$sample, factor = sizeFactors(dds)), "size_factors.tsv")
writeLines(c(R.version.string, paste(c("limma", "edgeR", "DESeq2"), sapply(c("limma", "edgeR", "DESeq2"), function(p) as.character(packageVersion(p))))), "versions.txt")
