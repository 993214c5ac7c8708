// What the lookup saves: its pictures and the numbers behind them; and its form.

// Pixels of the image to one of the picture: 300 to the inch at the width of a column in print.
const PNG_SCALE = 4;

// A text that a spreadsheet would take for a formula gets an apostrophe in front.
function csvCell(value) {
  if (typeof value === "number") return String(value);
  const text = /^[=+@\t\r]|^-(?![\d.])|^-[\d.]+[^\d.e-]/.test(value) ? `'${value}` : value;
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const csvOf = (heads, rows) => [heads, ...rows].map((row) => `${row.map(csvCell).join(",")}\n`).join("");

async function numbersOf(kind) {
  const settings = await json("settings");
  const { samples } = await json("genes");
  const genes = await Promise.all(chosen.at.map((at) => geneAt(at, settings)));
  if (kind === "contrasts") {
    const heads = ["gene", "gene_id", "contrast", ...CONTRAST_FIELDS, "target_verdict", "why"];
    return csvOf(heads, genes.flatMap((gene) => gene.files.map((row) => [gene.name, gene.id, ...row])));
  }
  const heads = ["gene", "gene_id", "sample", "donor", "group", "time", "log2_normalized_count"];
  return csvOf(heads, genes.flatMap((gene) => samples.map((one, i) => [gene.name, gene.id, one.sample, one.donor, one.group, one.time, gene.levels[i]])));
}

// Names of files take letters, digits, dots and hyphens.
async function lookupFile(kind, extension) {
  const { index } = await json("genes");
  const names = chosen.at.length > 3 ? [`${chosen.at.length}_genes`] : chosen.at.map((at) => geneName(index, at));
  return `${names.join("_").replace(/[^\p{L}\p{N}.-]+/gu, "_").slice(0, 80)}_${kind}.${extension}`;
}

// Drawn anew in the colours of print, whatever those of the page are.
async function savePicture(kind, extension) {
  const settings = await json("settings");
  const spec = fitted(chosen.specs[kind], document.getElementById(`lookup-${kind}`).clientWidth);
  const options = { mode: "vega-lite", actions: false, renderer: "svg", ast: true };
  const result = await window.vegaEmbed(document.createElement("div"), { ...spec, config: settings.config }, options);
  const name = await lookupFile(kind, extension);
  if (extension === "svg") save(name, await result.view.toSVG(), "image/svg+xml");
  else {
    const canvas = await result.view.toCanvas(PNG_SCALE);
    save(name, await new Promise((resolve) => canvas.toBlob(resolve, "image/png")), "image/png");
  }
  result.finalize();
}

async function saveLookup(kind, extension) {
  if (extension === "csv") save(await lookupFile(kind, extension), await numbersOf(kind), "text/csv");
  else await savePicture(kind, extension);
}

function prepareLookup() {
  const input = document.getElementById("lookup-input");
  const add = async (text) => {
    input.value = "";
    await choose(await namesIn(text), chosen.at);
  };
  input.addEventListener("input", async () => {
    const options = (await hints(input.value)).map((name) => {
      const option = document.createElement("option");
      option.value = name;
      return option;
    });
    document.getElementById("lookup-list").replaceChildren(...options);
  });
  input.addEventListener("paste", (event) => {
    const text = event.clipboardData.getData("text");
    // a field of one line would lose the ends of lines
    if (!/[\n\r]/.test(text.trim())) return;
    event.preventDefault();
    add(text);
  });
  document.getElementById("lookup-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (input.value.trim()) add(input.value);
  });
  document.getElementById("lookup-clear").addEventListener("click", () => {
    choose([], []);
    input.focus();
  });
  document.getElementById("lookup").addEventListener("click", (event) => {
    const { remove, add: name, picture } = event.target.closest("button")?.dataset ?? {};
    if (remove !== undefined) {
      choose([], chosen.at.filter((at) => at !== Number(remove)));
      input.focus();
    }
    if (name !== undefined) add(name);
    if (picture !== undefined) saveLookup(...picture.split("."));
  });
  document.addEventListener("click", (event) => {
    const gene = event.target.closest("[data-gene]");
    if (gene) window.location.hash = `gene=${encodeURIComponent(gene.dataset.gene)}`;
  });
  window.addEventListener("hashchange", followLookup);
  followLookup();
}
