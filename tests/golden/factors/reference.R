# Rscript reference.R   (in this folder; writes the reference tables beside it)
# Counts and sheet are those of ../limma; levels.tsv holds a made-up log2 serum level of each sample.
suppressPackageStartupMessages({library(limma); library(edgeR)})
counts <- as.matrix(read.delim("../limma/counts.tsv", row.names = 1, check.names = FALSE))
sheet <- read.delim("../limma/sheet.tsv", colClasses = "character")
level <- read.delim("levels.tsv")
stopifnot(identical(colnames(counts), sheet$sample), identical(level$sample, sheet$sample))
save <- function(x, file) {
  x <- data.frame(id = rownames(x), x, check.names = FALSE)
  x[] <- lapply(x, function(v) if (is.numeric(v)) sprintf("%.12g", v) else v)
  write.table(x, file, sep = "\t", quote = FALSE, row.names = FALSE)
}
cells <- cbind(after_AT = as.numeric(sheet$group == "AT" & sheet$time == "post"),
               after_RT = as.numeric(sheet$group == "RT" & sheet$time == "post"))
donors <- unique(sheet$donor)
blocks <- sapply(donors, function(d) as.numeric(sheet$donor == d))
y <- calcNormFactors(DGEList(counts[filterByExpr(counts, design = cells), ]))
span <- min(0.3 + 0.7 * (50 / nrow(y))^(1/3), 1)   # chooseLowessSpan of current limma

# the slope on the level itself, not centred: the donors' and groups' columns do that
design <- cbind(blocks, cells, level = level$log2)
fit <- eBayes(lmFit(voom(y, design, span = span), design))
save(data.frame(slope = fit$coefficients[, "level"], p = fit$p.value[, "level"],
                df = fit$df.total), "slope.tsv")

# signed set test: fry with genes weighted by their sign, without precision weights
signs <- read.delim("signs.tsv")
v <- voom(y, cbind(blocks, cells), span = span)
index <- match(signs$gene, rownames(y))
f <- fry(v$E, list(signed = index), cbind(blocks, cells), contrast = ncol(blocks) + 2,
         gene.weights = replace(rep(1, nrow(y)), index, signs$sign))
save(f[, c("NGenes", "Direction", "PValue")], "signed_set.tsv")

# paired and Welch tests of the level
change <- with(merge(subset(cbind(sheet, log2 = level$log2), time == "pre"),
                     subset(cbind(sheet, log2 = level$log2), time == "post"), by = "donor"),
               data.frame(group = group.x, change = log2.y - log2.x))
parts <- split(change$change, change$group)
row <- function(t, estimate) data.frame(estimate, low = t$conf.int[1], high = t$conf.int[2],
                                        p = t$p.value)
save(rbind(AT = row(t.test(parts$AT), mean(parts$AT)), RT = row(t.test(parts$RT), mean(parts$RT)),
           difference = row(t.test(parts$RT, parts$AT), mean(parts$RT) - mean(parts$AT))),
     "levels_tested.tsv")
writeLines(c(R.version.string, paste(c("limma", "edgeR"),
  sapply(c("limma", "edgeR"), function(x) as.character(packageVersion(x))))), "versions.txt")
