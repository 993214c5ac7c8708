# Rscript reference.R   (in this folder; writes hc3.tsv and versions.txt beside it)
library(sandwich)
donors <- read.delim("donors.tsv")
values <- merge(read.delim("values.tsv"), donors, by = "donor")
rows <- lapply(split(values, values$gene), function(d) {
  weighted <- lm(value ~ 0 + group + level, data = d, weights = weight)
  plain <- lm(value ~ group + level, data = d)
  se <- function(fit) sqrt(vcovHC(fit, type = "HC3")["level", "level"])
  p <- function(fit) 2 * pt(-abs(coef(fit)[["level"]] / se(fit)), df.residual(fit))
  data.frame(gene = d$gene[1], slope = coef(weighted)[["level"]], se = se(weighted),
             p = p(weighted), plain_slope = coef(plain)[["level"]], plain_se = se(plain),
             plain_p = p(plain))
})
table <- do.call(rbind, rows)
table[-1] <- lapply(table[-1], function(v) sprintf("%.12g", v))
write.table(table, "hc3.tsv", sep = "\t", quote = FALSE, row.names = FALSE)
writeLines(c(R.version.string, paste("sandwich", packageVersion("sandwich"))), "versions.txt")
