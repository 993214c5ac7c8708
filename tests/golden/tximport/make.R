# Writes transcripts.tsv (invented estimates) and length_scaled.tsv (tximport's answer) here.
library(tximport)
set.seed(7)
samples <- c("001", "002", "003", "004")
gene <- sprintf("G%02d", rep(1:20, times = sample(1:5, 20, replace = TRUE)))
name <- sprintf("T%03d", seq_along(gene))
length <- sample(300:6000, length(gene))
expression <- rgamma(length(gene), shape = 0.4, scale = 50)
rows <- NULL
folder <- tempfile()
for (sample in samples) {
  effective <- round(pmax(length - rnorm(1, 180, 15), 20) * runif(length(gene), 0.9, 1.1), 3)
  rate <- expression * rgamma(length(gene), shape = 3, scale = 1 / 3)
  rate[gene == "G03"] <- 0                               # silent everywhere
  if (sample %in% c("001", "004")) rate[gene == "G05"] <- 0  # silent in some samples
  reads <- round(rate * effective / 5, 3)
  tpm <- round(1e6 * (reads / effective) / sum(reads / effective), 6)
  part <- data.frame(Name = name, Length = length, EffectiveLength = effective, TPM = tpm,
                     NumReads = reads)
  dir.create(file.path(folder, sample), recursive = TRUE)
  write.table(part, file.path(folder, sample, "quant.sf"), sep = "\t", quote = FALSE,
              row.names = FALSE)
  rows <- rbind(rows, cbind(sample = sample, gene = gene, part))
}
write.table(rows, "transcripts.tsv", sep = "\t", quote = FALSE, row.names = FALSE)
files <- setNames(file.path(folder, samples, "quant.sf"), samples)
answer <- tximport(files, type = "salmon", tx2gene = data.frame(name, gene),
                   countsFromAbundance = "lengthScaledTPM",
                   importer = function(x) read.delim(x, check.names = FALSE))
out <- data.frame(gene = rownames(answer$counts), format(answer$counts, digits = 15, trim = TRUE),
                  check.names = FALSE)
write.table(out, "length_scaled.tsv", sep = "\t", quote = FALSE, row.names = FALSE)
