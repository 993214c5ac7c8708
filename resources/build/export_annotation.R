# Exports what fibroserum bundles of Bioconductor's annotation packages, as plain tables.
#
#   Rscript resources/build/export_annotation.R FOLDER
#
# writes FOLDER/genes.tsv (human genes) and FOLDER/go.tsv (genes of the GO terms listed in
# go_terms.tsv beside this script). build_resources.py calls it and packs the result.
# Needs org.Hs.eg.db, GO.db and DBI (Debian: r-bioc-org.hs.eg.db, r-bioc-go.db).

suppressMessages({
  library(DBI)
  library(org.Hs.eg.db)
  library(GO.db)
})

args <- commandArgs(trailingOnly = TRUE)
stopifnot(length(args) == 1)
folder <- args[[1]]
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
con <- org.Hs.eg_dbconn()

join <- function(values, keys, all_keys) {
  joined <- vapply(split(values, keys), function(x) paste(unique(x), collapse = "|"), "")
  out <- joined[as.character(all_keys)]
  ifelse(is.na(out), "", unname(out))
}

write_table <- function(table, name) {
  out <- file(file.path(folder, name), "wb", encoding = "UTF-8")
  on.exit(close(out))
  write.table(table, out, sep = "\t", quote = FALSE, row.names = FALSE, eol = "\n")
}

# Genes: every Entrez record but enhancers and the like (`biological-region`) and traits mapped
# to a locus without a gene (`unknown`), whose symbols collide with real genes' (HBD, TEC).
genes <- dbGetQuery(con, "
  SELECT g._id AS id, i.symbol, g.gene_id AS entrez, t.gene_type AS type, i.gene_name AS name
  FROM genes g JOIN gene_info i USING (_id) JOIN genetype t USING (_id)
  WHERE t.gene_type NOT IN ('biological-region', 'unknown')")

# The id that Ensembl and NCBI both name comes first, then the oldest: the others are mostly
# copies on alternate haplotypes.
ensembl <- dbGetQuery(con, "
  SELECT e._id AS id, e.ensembl_id,
    EXISTS (SELECT 1 FROM ensembl2ncbi a WHERE a._id = e._id AND a.ensembl_id = e.ensembl_id) +
    EXISTS (SELECT 1 FROM ncbi2ensembl b WHERE b._id = e._id AND b.ensembl_id = e.ensembl_id)
      AS named
  FROM ensembl e")
ensembl <- ensembl[order(ensembl$id, -ensembl$named, ensembl$ensembl_id, method = "radix"), ]
chromosomes <- dbGetQuery(con, "SELECT _id AS id, chromosome FROM chromosomes")
chromosomes <- chromosomes[chromosomes$chromosome != "Un", ]
chromosomes <- chromosomes[order(chromosomes$id, chromosomes$chromosome, method = "radix"), ]
aliases <- dbGetQuery(con, "
  SELECT a._id AS id, a.alias_symbol AS alias FROM alias a JOIN gene_info i USING (_id)
  WHERE a.alias_symbol != i.symbol")

# NCBI names mitochondrial genes COX1 or TRNF where HGNC and every GTF have MT-CO1 and MT-TF.
chromosome <- join(chromosomes$chromosome, chromosomes$id, genes$id)
on_mt <- chromosome == "MT"
ncbi_symbol <- genes$symbol
genes$symbol[on_mt] <- paste0("MT-", sub("^TRN", "T", sub("^COX", "CO", sub(
  "^CYTB$", "CYB", ncbi_symbol[on_mt]))))
aliases <- rbind(aliases, data.frame(id = genes$id[on_mt], alias = ncbi_symbol[on_mt]))
aliases <- aliases[order(aliases$id, aliases$alias, method = "radix"), ]

# The mitochondrial rRNAs have no Ensembl id in the package (these are the GTF's).
ensembl <- rbind(ensembl, data.frame(
  id = genes$id[match(c("MT-RNR1", "MT-RNR2"), genes$symbol)],
  ensembl_id = c("ENSG00000211459", "ENSG00000210082"), named = 0))

table <- data.frame(
  symbol = genes$symbol,
  ensembl = join(ensembl$ensembl_id, ensembl$id, genes$id),
  entrez = genes$entrez,
  chromosome = chromosome,
  type = genes$type,
  name = genes$name,
  aliases = join(aliases$alias, aliases$id, genes$id)
)
stopifnot(!grepl("[\t\n\r]", as.matrix(table)))
stopifnot(!duplicated(table$entrez), nzchar(table$symbol))
table <- table[order(as.integer(table$entrez)), ]
write_table(table, "genes.tsv")

# GO: a term's genes are those annotated to it or to any of its offspring (is_a, part_of and
# regulates, as GO.db has them), by any evidence; the number with electronic evidence alone is
# kept. Symbols are the gene table's own.
terms <- read.delim(file.path(here, "go_terms.tsv"), colClasses = "character")
go <- do.call(rbind, lapply(terms$go_id, function(go_id) {
  term <- GOTERM[[go_id]]
  if (is.null(term)) stop("not a GO term of this release: ", go_id)
  rows <- dbGetQuery(con, sprintf("
    SELECT DISTINCT g.gene_id AS entrez, a.evidence FROM go_%s_all a JOIN genes g USING (_id)
    WHERE a.go_id = ?", tolower(Ontology(term))), params = list(go_id))
  rows <- rows[rows$entrez %in% table$entrez, ]
  evidence <- split(rows$evidence, table$symbol[match(rows$entrez, table$entrez)])
  data.frame(
    go_id = go_id, term = Term(term), ontology = Ontology(term),
    electronic_only = sum(vapply(evidence, function(x) all(x == "IEA"), NA)),
    genes = paste(sort(names(evidence), method = "radix"), collapse = "|"))
}))
write_table(go, "go.tsv")

info <- rbind(org.Hs.eg_dbInfo(), GO_dbInfo())
versions <- data.frame(
  key = c("org.Hs.eg.db", "GO.db", "genes", "ontology", "annotations"),
  value = c(
    as.character(packageVersion("org.Hs.eg.db")), as.character(packageVersion("GO.db")),
    info$value[match(c("EGSOURCEDATE", "GOSOURCEDATE", "GOEGSOURCEDATE"), info$name)]))
write_table(versions, "versions.tsv")
