# Rscript make.R: changes of 8 pairs (one poor) and their quality weights, by limma; p values with a
# covariate and their weighted adjustment, by IHW.
suppressMessages({library(limma); library(IHW)})
set.seed(20)

pairs <- 8; genes <- 300
sd <- c(1, 1, 0.8, 1.2, 1, 2.5, 0.7, 1)
gene_sd <- exp(rnorm(genes, 0, 0.4))
changes <- t(sapply(sd, function(s) rnorm(genes, 0, s) * gene_sd))
changes[, 1:20] <- changes[, 1:20] + 1.5
changes <- round(changes, 6)
rownames(changes) <- sprintf("pair%d", 1:pairs)
write.table(changes, "changes.tsv", sep = "\t", quote = FALSE, row.names = TRUE, col.names = FALSE)
# an array of zeros has the design's one column to itself: the others' mean is zero
rows <- cbind(t(changes), 0)
design <- matrix(c(rep(0, pairs), 1))
variance <- rbind(contr.sum(pairs), 0)
about_zero <- arrayWeights(rows, design, var.design = variance, method = "reml")[1:pairs]
# limma's own, about the mean of all pairs
about_mean <- arrayWeights(t(changes), matrix(1, pairs), method = "reml")
table <- data.frame(pair = rownames(changes), about_zero, about_mean)
write.table(format(table, digits = 10), "quality.tsv", sep = "\t", quote = FALSE, row.names = FALSE)

tests <- 3000
covariate <- runif(tests)
changed <- runif(tests) < 0.35 * covariate^3
pvalue <- ifelse(changed, rbeta(tests, 0.15, 1), runif(tests))
found <- ihw(pvalue, covariate, alpha = 0.05, nbins = 3, nfolds = 2)
table <- data.frame(pvalue = pvalue, weight = weights(found), adjusted = adj_pvalues(found))
write.table(format(table, digits = 10), gzfile("ihw.tsv.gz"), sep = "\t", quote = FALSE, row.names = FALSE)
writeLines(c(R.version.string, paste("limma", packageVersion("limma")), paste("IHW", packageVersion("IHW"))), "versions.txt")
