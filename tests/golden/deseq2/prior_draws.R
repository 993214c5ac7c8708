# Histograms (bins of 0.5 from -10 to 10) of log(chi2(df) / df) + N(0, variance), 10,000 draws for
# each of 200 variances from 0 to 8, with the seed that DESeq2 sets before it draws.
breaks <- -20:20 / 2
variances <- seq(0, 8, length = 200)
cat(c("df", "variance", breaks[1:40]), sep = "\t")
cat("\n")
for (df in 1:3) {
  set.seed(2)
  for (i in seq_along(variances)) {
    draws <- log(rchisq(1e4, df = df)) + rnorm(1e4, 0, sqrt(variances[i])) - log(df)
    inside <- draws[draws > -10 & draws < 10]
    cat(c(df, i, hist(inside, breaks = breaks, plot = FALSE)$counts), sep = "\t")
    cat("\n")
  }
}
