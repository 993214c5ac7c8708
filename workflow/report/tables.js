// Tables: DataTables over packed columns. Cells are text, never markup.

const asText = (value) =>
  String(value ?? "").replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

// DataTables and its style sheet, which is placed before that of the page.
function tableLibrary() {
  return once("table-library", async () => {
    await library("datatables");
    document.getElementById("table-style").textContent = new TextDecoder().decode(await inflate("style-datatables"));
  });
}

const LANGUAGE = {
  emptyTable: "Nothing found.",
  zeroRecords: "No row matches.",
  search: "Search",
  info: "Rows _START_ to _END_ of _TOTAL_",
  infoEmpty: "No rows",
  infoFiltered: "(of _MAX_ in the table)",
  lengthMenu: "_MENU_ rows per page",
};

function layout(file) {
  const download = {
    extend: "csv",
    text: "Download TSV",
    title: null,
    footer: false,
    filename: file,
    extension: ".tsv",
    fieldSeparator: "\t",
    fieldBoundary: "",
    exportOptions: { orthogonal: "export" },
  };
  return { topStart: { buttons: [download] }, topEnd: "search", bottomStart: ["pageLength", "info"], bottomEnd: "paging" };
}

// A gene's name is a button that opens the lookup.
// why: the contrast and the place of the gene whose call the tip explains.
function geneCell(name, id, why = "") {
  const explained = why && ` data-why="${why}"`;
  return `<button type="button" class="gene" data-gene="${asText(id)}"${explained}>${asText(name)}</button>`;
}

// A call with its reason in the tip; of a target the verdict, which is the answer, comes with it.
function callColumn(source, verdicts, index, title) {
  const words = (row) => {
    const [verdict] = verdicts[index.id[row.at]]?.[source.contrast] ?? [];
    const call = source.now.call.text(row.at);
    return verdict ? `${verdict.replaceAll("_", " ")} as a target; genome-wide ${call}` : call;
  };
  const render = (_, type, row) =>
    type === "display" ? `<span data-why="${source.at}:${row.at}">${asText(words(row))}</span>` : source.now.call.text(row.at);
  return { title, name: "call", data: null, render };
}

const GENE_COLUMNS = [
  ["call", "Call"],
  ["log2FoldChange", "log2 fold change"],
  ["ci_low", "95 % from"],
  ["ci_high", "to"],
  ["weighted_padj", "Adjusted p"],
  ["second_weighted_padj", "Second model, adjusted p"],
  ["pvalue", "p"],
  ["confident_lfc", "Confident size"],
  ["baseMean", "Mean count"],
  ["status", "Status"],
];

// Missing numbers go last whichever way a column is sorted up.
function numberColumn(source, name, title) {
  return {
    title,
    name,
    data: null,
    className: "dt-right",
    type: "num",
    render: (_, type, row) => {
      if (type === "sort" || type === "type") return source.now[name].number(row.at) ?? Infinity;
      const text = source.now[name].text(row.at);
      return type === "display" ? shown(text) : text;
    },
  };
}

function wordColumnOf(source, name, title) {
  const render = (_, type, row) => {
    const text = source.now[name].text(row.at);
    return type === "display" ? asText(text.replaceAll("_", " ")) : text;
  };
  return { title, name, data: null, render };
}

function geneColumns(source, index, verdicts) {
  const symbol = (at) => index.symbol[at] || (index.symbol_is_id[at] ? index.id[at] : "");
  return [
    {
      title: "Gene",
      name: "symbol",
      data: null,
      render: (_, type, row) =>
        type === "display" ? geneCell(symbol(row.at) || index.id[row.at], index.id[row.at], `${source.at}:${row.at}`) : symbol(row.at),
    },
    { title: "Gene id", name: "gene_id", data: null, render: (_, type, row) => (type === "display" ? asText(index.id[row.at]) : index.id[row.at]) },
    ...GENE_COLUMNS.map(([name, title]) => {
      if (name === "call") return callColumn(source, verdicts, index, title);
      return name === "status" ? wordColumnOf(source, name, title) : numberColumn(source, name, title);
    }),
  ];
}

async function geneTable(element) {
  await tableLibrary();
  const { index, verdicts } = await json("genes");
  const { contrasts } = await json("settings");
  const choice = document.getElementById("genes-contrast");
  const call = document.getElementById("genes-call");
  const chosen = async () => ({ at: choice.value, contrast: contrasts[choice.value].name, now: await columns(`contrast-${choice.value}`) });
  const source = await chosen();
  const DataTable = window.DataTable;
  const table = new DataTable(element, {
    data: index.id.map((_, at) => ({ at })),
    columns: geneColumns(source, index, verdicts),
    order: [[2 + GENE_COLUMNS.findIndex(([name]) => name === "pvalue"), "asc"]],
    pageLength: 10,
    deferRender: true,
    autoWidth: false,
    language: LANGUAGE,
    layout: layout(() => `${contrasts[choice.value].file}.genes`),
  });
  table.search.fixed("call", (_, row) => {
    const value = source.now.call.text(row.at);
    return !call.value || value === call.value || (call.value === "called" && value !== "none");
  });
  call.addEventListener("change", () => table.draw());
  choice.addEventListener("change", async () => {
    Object.assign(source, await chosen());
    table.rows().invalidate().draw();
  });
}

function rowColumn(table, at) {
  const kind = table.kinds[at];
  const gene = table.names[at] === "symbol" ? table.names.indexOf("gene_id") : -1;
  const display = (value) => {
    if (value === null || value === "") return "–";
    if (kind === "p") return printed(value, 3);
    if (kind === "number") return shown(Number.isInteger(value) ? String(value) : value.toFixed(3));
    // a long name breaks after an underscore rather than within a word
    return kind === "word" ? asText(value.replaceAll("_", " ")) : asText(value).replaceAll("_", "_<wbr>");
  };
  return {
    title: table.titles[at],
    className: kind === "text" || kind === "word" ? "" : "dt-right",
    type: kind === "text" || kind === "word" ? "string" : "num",
    render: (value, type, row) => {
      if (type === "sort" || type === "type") return value ?? (kind === "text" || kind === "word" ? "" : Infinity);
      if (type === "display" && gene >= 0) return geneCell(value, row[gene]);
      if (type === "display") return display(value);
      return value ?? "";
    },
  };
}

async function rowTable(element, key = element.dataset.rows) {
  await tableLibrary();
  const table = (await json("tables"))[key];
  if (!table) return;
  const first = table.kinds.indexOf("p");
  new window.DataTable(element, {
    data: table.rows,
    columns: table.titles.map((_, at) => rowColumn(table, at)),
    order: [[first, "asc"]],
    pageLength: 10,
    deferRender: true,
    autoWidth: false,
    language: LANGUAGE,
    layout: layout(element.dataset.file),
    destroy: true,
  });
}

function setsTable(element) {
  const choice = document.getElementById("sets-contrast");
  choice.addEventListener("change", () => rowTable(element, `sets-${choice.value}`));
  return rowTable(element, `sets-${choice.value}`);
}

const MAKERS = { genes: geneTable, rows: (element) => (element.id === "sets-table" ? setsTable(element) : rowTable(element)) };
const lazyTables = () => [...document.querySelectorAll("[data-lazy]")];

function fillTable(element) {
  return once(`table-${lazyTables().indexOf(element)}`, () => MAKERS[element.dataset.lazy](element));
}

const fillAll = () => lazyTables().forEach(fillTable);

// What `fillAll` needs, so that it need not wait.
function unpackTables() {
  const choice = document.getElementById("genes-contrast");
  return Promise.all([tableLibrary(), json("genes"), json("tables"), columns(`contrast-${choice.value}`)]);
}

function fillLazily() {
  const seen = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (entry.isIntersecting) {
          seen.unobserve(entry.target);
          fillTable(entry.target);
        }
      }
    },
    { rootMargin: "300px" },
  );
  lazyTables().forEach((element) => seen.observe(element));
}
