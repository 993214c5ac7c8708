# Rscript own_spread.R   (in this folder; writes own_spread_{contrast}.tsv beside it)
# Each group fitted by itself with the weights of the fit of all: its variances, moderated by
# themselves; contrasts of both groups by Welch and Satterthwaite, on at most the degrees of freedom
# of the fit of all.
suppressPackageStartupMessages({library(limma); library(edgeR)})
counts <- as.matrix(read.delim("counts.tsv", row.names = 1, check.names = FALSE))
sheet <- read.delim("sheet.tsv", colClasses = "character")
stopifnot(identical(colnames(counts), sheet$sample))
donors <- unique(sheet$donor)
blocks <- sapply(donors, function(d) as.numeric(sheet$donor == d))
after <- sapply(c("AT", "RT"), function(g) as.numeric(sheet$group == g & sheet$time == "post"))
span <- min(0.3 + 0.7 * (50 / nrow(counts))^(1/3), 1)   # chooseLowessSpan of current limma
v <- voom(calcNormFactors(DGEList(counts)), cbind(blocks, after), span = span)
pooled <- eBayes(lmFit(v, cbind(blocks, after)))$df.total
own <- lapply(c(AT = "AT", RT = "RT"), function(g) {
  rows <- sheet$group == g
  design <- cbind(blocks[rows, donors %in% sheet$donor[rows]], after = after[rows, g])
  e <- eBayes(lmFit(v[, rows], design))
  list(estimate = e$coefficients[, "after"], p = e$p.value[, "after"], df = e$df.total,
       se = sqrt(e$s2.post) * e$stdev.unscaled[, "after"])
})
save <- function(estimate, se, df, p, file) {
  x <- data.frame(id = rownames(counts), logFC = estimate, se = se, df = df, p = p)
  x[-1] <- lapply(x[-1], function(v) sprintf("%.12g", v))
  write.table(x, file, sep = "\t", quote = FALSE, row.names = FALSE)
}
for (g in names(own)) {
  with(own[[g]], save(estimate, se, df, p, paste0("own_spread_", g, ".tsv")))
}
for (name in c("difference", "average")) {
  k <- list(difference = c(AT = -1, RT = 1), average = c(AT = .5, RT = .5))[[name]]
  estimate <- k[["AT"]] * own$AT$estimate + k[["RT"]] * own$RT$estimate
  part <- sapply(names(k), function(g) (k[[g]] * own[[g]]$se)^2)
  df <- rowSums(part)^2 / (part[, "AT"]^2 / own$AT$df + part[, "RT"]^2 / own$RT$df)
  df <- pmin(df, pooled)
  se <- sqrt(rowSums(part))
  save(estimate, se, df, 2 * pt(-abs(estimate / se), df), paste0("own_spread_", name, ".tsv"))
}
