# Rscript reference.R, in this folder: reference values of metafor for each set of effects.tsv.
suppressMessages(library(metafor))
options(digits = 15)
input <- read.delim("effects.tsv", colClasses = c("character", "numeric", "numeric"))
tight <- list(threshold = 1e-12, maxiter = 10000, tol = 1e-12)
one <- function(name) {
  rows <- input[input$set == name, ]
  fixed <- rma(rows$effect, sei = rows$se, method = "FE")
  classic <- rma(rows$effect, sei = rows$se, method = "PM", control = tight)
  # "adhoc": Hartung's and Knapp's variance, never below the classical one
  random <- rma(rows$effect, sei = rows$se, method = "PM", test = "adhoc", control = tight)
  knapp <- rma(rows$effect, sei = rows$se, method = "PM", test = "knha", control = tight)
  ends <- confint(random, control = list(tol = 1e-14, tau2.max = 1e4))$random
  predicted <- predict(random)
  data.frame(
    set = name, cohorts = random$k,
    fixed_estimate = fixed$beta[1], fixed_se = fixed$se, fixed_ci_low = fixed$ci.lb,
    fixed_ci_high = fixed$ci.ub, fixed_pvalue = fixed$pval,
    random_estimate = random$beta[1], random_se = random$se, random_ci_low = random$ci.lb,
    random_ci_high = random$ci.ub, random_pvalue = random$pval,
    tau2 = random$tau2, tau2_ci_low = ends["tau^2", "ci.lb"], tau2_ci_high = ends["tau^2", "ci.ub"],
    Q = random$QE, Q_pvalue = random$QEp, I2 = random$I2 / 100,
    I2_ci_low = ends["I^2(%)", "ci.lb"] / 100, I2_ci_high = ends["I^2(%)", "ci.ub"] / 100,
    prediction_low = predicted$pi.lb, prediction_high = predicted$pi.ub,
    classic_se = classic$se, knapp_se = knapp$se
  )
}
found <- do.call(rbind, lapply(unique(input$set), one))
found[] <- lapply(found, function(x) if (is.numeric(x)) signif(x, 12) else x)
write.table(found, "pooled.tsv", sep = "\t", quote = FALSE, row.names = FALSE, na = "")
writeLines(c(R.version.string, paste("metafor", packageVersion("metafor"))), "versions.txt")
