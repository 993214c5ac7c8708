# Rscript tests/golden/genes/reference.R, run in tests/golden/genes
suppressMessages(library(org.Hs.eg.db))
symbols <- c("BGN", "DCN", "VCAN", "HAS1", "HAS2", "COL1A1", "COL1A2", "COL3A1", "COL5A1", "COL6A1",
  "COL12A1", "COL14A1", "CCL28", "PF4", "ENC1", "CCN2", "SEPTIN2", "MARCHF1", "PDGFRA", "VIM", "LUM")
genes <- suppressMessages(select(org.Hs.eg.db, symbols, c("ENTREZID", "ENSEMBL"), "SYMBOL"))
write.table(genes, "genes.tsv", sep = "\t", quote = FALSE, row.names = FALSE)
terms <- c("GO:0030199", "GO:0005581", "GO:0005604", "GO:0030212", "GO:0007179", "GO:0090398")
go <- suppressMessages(select(org.Hs.eg.db, terms, "SYMBOL", "GOALL"))
go <- unique(go[c("GOALL", "SYMBOL")])
write.table(go[order(go$GOALL, go$SYMBOL, method = "radix"), ], "go.tsv",
  sep = "\t", quote = FALSE, row.names = FALSE)
