# Rscript reference.R   (in this folder; writes samples.tsv, effects.tsv and versions.txt)
# Mixed models of donors with one or two samples: random donor effect and residual, both with a
# variance for each group, REML by nlme. Two assumptions, with and without a covariate.
suppressPackageStartupMessages(library(nlme))
set.seed(7)
sizes <- list(AT = c(9, 3, 2), RT = c(7, 2, 4))   # pairs, before alone, after alone
samples <- do.call(rbind, lapply(names(sizes), function(group) {
  n <- sizes[[group]]
  donor <- sprintf("%s%02d", group, seq_len(sum(n)))
  rbind(data.frame(donor = donor[seq_len(n[1] + n[2])], group = group, time = "pre"),
        data.frame(donor = donor[c(seq_len(n[1]), n[1] + n[2] + seq_len(n[3]))], group = group,
                   time = "post"))
}))
after <- 1 * (samples$time == "post")
own <- function(sd) rnorm(30, 0, sd)[as.integer(factor(samples$donor))]
rt <- samples$group == "RT"
samples$rin <- round(runif(nrow(samples), 6, 9), 1)
samples$usual <- round(8 + own(0.5) + after * ifelse(rt, 0.5, 0.2) + rnorm(nrow(samples), 0, 0.3), 4)
samples$unequal <- round(5 + own(0.3) + ifelse(rt, 0.3, 0) + after * ifelse(rt, -0.4, 0.1) +
                         0.1 * samples$rin + rnorm(nrow(samples), 0, ifelse(rt, 0.6, 0.15)), 4)
samples$independent <- round(3 + after * 0.3 + rnorm(nrow(samples), 0, 0.4), 4)
write.table(samples, "samples.tsv", sep = "\t", quote = FALSE, row.names = FALSE)

samples$AT <- after * !rt
samples$RT <- after * rt
control <- lmeControl(opt = "optim", optimMethod = "BFGS", msMaxIter = 1000, maxIter = 1000,
                      reltol = 1e-14, returnObject = TRUE)
rows <- list()
for (value in c("usual", "unequal", "independent")) for (covariate in c("", "rin")) {
  for (assumption in c("missing_at_random", "equal_starts")) {
    start <- if (assumption == "missing_at_random") "0 + group" else "1"
    terms <- c(start, "AT", "RT", if (covariate != "") covariate)
    fit <- lme(as.formula(paste(value, "~", paste(terms, collapse = " + "))), samples,
               random = list(donor = pdDiag(~ 0 + group)), weights = varIdent(form = ~ 1 | group),
               method = "REML", control = control)
    for (name in c("AT", "RT", "difference", "average")) {
      weight <- list(AT = c(1, 0), RT = c(0, 1), difference = c(-1, 1), average = c(.5, .5))[[name]]
      v <- fit$varFix[c("AT", "RT"), c("AT", "RT")]
      rows[[length(rows) + 1]] <- data.frame(
        value, covariate, assumption, contrast = name,
        estimate = sprintf("%.10g", sum(weight * fixef(fit)[c("AT", "RT")])),
        se = sprintf("%.10g", sqrt(weight %*% v %*% weight)))
    }
  }
}
write.table(do.call(rbind, rows), "effects.tsv", sep = "\t", quote = FALSE, row.names = FALSE)

# one group: the residual degrees of freedom of nlme's interval are pairs less one
one <- subset(samples, group == "AT")
fit <- lme(usual ~ AT, one, random = ~ 1 | donor, control = control)
interval <- intervals(fit, which = "fixed")$fixed["AT", ]
write(sprintf("%.10g", interval[c("est.", "lower", "upper")]), "one_group.tsv", ncolumns = 3)
writeLines(c(R.version.string, paste("nlme", packageVersion("nlme"))), "versions.txt")
