# Stage report. In: every table. Out: report.html, tables.xlsx, summary.json, provenance.json, figures/.
