// Gene lookup: the chosen genes in every contrast, donor and gene set.

// Of more genes the files hold the numbers, and the page shows the first ones.
const MOST_SHOWN = 24;
// Headings of panels print the changes where they are few.
const MOST_PRINTED = 4;
// Rows of a table without a box around it.
const MOST_WHOLE = 12;
// Below this width forests are narrower, and print no calls.
const NARROW = 480;
const LOOKUP_PICTURES = { donors: ["lookup_donors", "slopes"], estimates: ["lookup_estimates", "estimates"] };

// at: the places of the genes, in the order in which they were chosen; said: what became of names;
// specs: what the pictures show, as it is saved; turn: counts the showings, of which the last wins.
const chosen = { at: [], said: [], specs: {}, turn: 0, own: false };

// numbers, intervals, and dashes in place of either
const NUMBER = /^(–|[−\d.,e-]+( to [−\d.,e-]+)?)$/;
const isNumber = (texts) => texts.every((text) => NUMBER.test(text)) && texts.some((text) => text !== "–");

function cells(row, texts, tag, numbers) {
  texts.forEach((text, at) => {
    const cell = document.createElement(at === 0 && tag === "td" ? "th" : tag);
    if (cell.tagName === "TH") cell.scope = tag === "th" ? "col" : "row";
    cell.textContent = text;
    if (numbers[at]) cell.className = "num";
    else if (text.length > 60) cell.className = "words";
    else if (!text.includes(" ") && text.length < 24) cell.className = "keep";
    row.append(cell);
  });
}

function fill(id, caption, heads, rows) {
  const table = document.getElementById(id);
  table.replaceChildren();
  table.parentElement.classList.toggle("whole", rows.length <= MOST_WHOLE);
  const words = document.createElement("span");
  words.textContent = caption;
  table.createCaption().append(words);
  const numbers = heads.map((_, at) => at > 0 && isNumber(rows.map((texts) => texts[at])));
  cells(table.createTHead().insertRow(), heads, "th", numbers);
  const body = table.createTBody();
  rows.forEach((texts) => cells(body.insertRow(), texts, "td", numbers));
}

// log2(normalized count + 0.5) of one gene in every sample, in hundredths.
async function levelsOf(at, genes, samples) {
  const middle = await once("levels-middle", async () => integers(await inflate("levels-middle"), genes, 2));
  const rest = await once("levels-rest", async () => integers(await inflate("levels-rest"), genes * samples, 2));
  // the rests are in the order of the medians
  const row = middle.reduce((before, other, i) => before + (other < middle[at] || (other === middle[at] && i < at)), 0);
  return Array.from({ length: samples }, (_, i) => (middle[at] + rest[row * samples + i]) / 100);
}

const pairOf = (one) => JSON.stringify([one.donor, one.group]);
const slotOf = (settings, group, time) => (Object.keys(settings.groups).length === 1 ? time : `${group} ${time}`);
const interval = (one) => `${shown(one.estimate.toFixed(2))} (${shown(one.low.toFixed(2))} to ${shown(one.high.toFixed(2))})`;
const changesOf = (gene) => gene.estimates.filter((one) => one.kind === "change" && one.words);

// The heading of a gene's panel: its names, and below them the changes where they are few.
function panelOf(gene, settings) {
  const changes = changesOf(gene);
  const few = changes.length <= MOST_PRINTED;
  const one = settings.times.length === 1;
  const lines = few ? changes.map((change) => `${one ? change.group : `${change.group} ${change.time}`}: ${change.words}`) : [];
  return [gene.title, ...lines].join("\n");
}

// A donor's places in the times, and where it starts: what the lines and the groups' means need.
function slopeRows(gene, samples, settings) {
  const times = [settings.before, ...settings.times];
  const panel = panelOf(gene, settings);
  const starts = new Map(samples.map((one, i) => [one.time === settings.before ? pairOf(one) : null, gene.levels[i]]));
  const levels = samples.map((one, i) => ({
    panel, donor: one.donor, group: one.group, time: one.time, slot: slotOf(settings, one.group, one.time), level: gene.levels[i],
    filled: one.time === settings.before ? 0 : 1, order: times.indexOf(one.time), start: starts.get(pairOf(one)) ?? null }));
  const changes = changesOf(gene).map((change) => {
    const own = levels.filter((row) => row.group === change.group && row.time === change.time && row.start !== null);
    if (!own.length) return null;
    const base = own.reduce((sum, row) => sum + row.start, 0) / own.length;
    return {
      panel, group: change.group, time: change.time, slot: slotOf(settings, change.group, change.time), order: times.indexOf(change.time),
      level: null, mean: base + change.estimate, low: base + change.low, high: base + change.high, words: change.words };
  });
  return [...levels, ...changes.filter(Boolean)];
}

function donorHeads(settings) {
  const changes = settings.times.length === 1 ? ["Change"] : settings.times.map((time) => `Change at ${time}`);
  return ["Donor", "Group", settings.before, ...settings.times, ...changes];
}

function donorRows(samples, levels, settings) {
  const donors = new Map();
  samples.forEach((one, i) => {
    if (!donors.has(pairOf(one))) donors.set(pairOf(one), { donor: one.donor, group: one.group, at: new Map() });
    donors.get(pairOf(one)).at.set(one.time, levels[i]);
  });
  const print = (value) => (value === undefined || Number.isNaN(value) ? "–" : shown(value.toFixed(2)));
  return [...donors.values()].map(({ donor, group, at }) => [
    donor,
    group,
    print(at.get(settings.before)),
    ...settings.times.map((time) => print(at.get(time))),
    // a level that is absent makes no change
    ...settings.times.map((time) => print(at.get(time) - at.get(settings.before))),
  ]);
}

const CONTRAST_HEADS = ["Contrast", "log2 fold change", "95 % interval", "p", "Adjusted p", "Second model, adjusted p", "Confident size", "Call", "Why"];
// columns of a contrast that the file of numbers has, as they are called in de/
const CONTRAST_FIELDS = ["log2FoldChange", "ci_low", "ci_high", "pvalue", "weighted_padj", "second_weighted_padj", "confident_lfc", "call", "status"];

// A gene in one contrast: a row of the table, of the file, and of the picture.
async function inContrast(at, contrast, number) {
  const table = await columns(`contrast-${number}`);
  const text = (name) => shown(table[name].text(at));
  const { call, verdict, said, conditions } = await reasonOf(number, at);
  const answer = verdict ? `${verdict.replaceAll("_", " ")} (target)` : call;
  const estimate = { ...contrast, contrast: contrast.name, estimate: table.log2FoldChange.number(at), low: table.ci_low.number(at), high: table.ci_high.number(at) };
  const drawn = [estimate.estimate, estimate.low, estimate.high].every((value) => value !== null);
  return {
    row: [contrast.name, text("log2FoldChange"), `${text("ci_low")} to ${text("ci_high")}`, text("pvalue"), text("weighted_padj"), text("second_weighted_padj"), text("confident_lfc"), answer, said],
    file: [contrast.name, ...CONTRAST_FIELDS.map((name) => table[name].text(at)), verdict ?? "", conditions],
    estimate: { ...estimate, words: drawn ? interval(estimate) : "", called: drawn ? `${interval(estimate)}, ${(verdict ?? call).replaceAll("_", " ")}` : "no estimate" },
  };
}

const OTHER_IDS = [["ensembl", "Ensembl"], ["entrez", "Entrez"]];

async function geneAt(at, settings) {
  const { index, samples, sets, flags, verdicts } = await json("genes");
  const found = await Promise.all(settings.contrasts.map((contrast, number) => inContrast(at, contrast, number)));
  const id = index.id[at];
  const name = geneName(index, at);
  const responsive = flags.filter((flag) => flag.gene === at).map((flag) => `${flag.factor}: ${flag.call}${flag.direction ? `, ${flag.direction}` : ""}`);
  return {
    at,
    id,
    name,
    title: name === id ? id : `${name}, ${id}`,
    rows: found.map((one) => one.row),
    files: found.map((one) => one.file),
    estimates: found.map((one) => one.estimate),
    levels: await levelsOf(at, index.id.length, samples.length),
    about: [
      name, id, OTHER_IDS.filter(([key]) => index[key]?.[at]).map(([key, words]) => `${words} ${index[key][at]}`).join(", ") || "–", await mappedAs(at),
      (await columns("contrast-0")).baseMean.text(at) || "–",
      sets.filter((set) => set.genes.includes(at)).map((set) => `${set.name} (${set.collection})`).join("; ") || "none of this run",
      [...(verdicts[id] ? [`target (${settings.targets[id]})`] : []), ...responsive].join("; ") || "–",
    ],
  };
}

async function drawLookup(genes, samples, settings) {
  const narrow = document.getElementById("lookup-estimates").clientWidth < NARROW;
  const rows = {
    donors: genes.flatMap((gene) => slopeRows(gene, samples, settings)),
    estimates: genes.flatMap((gene) => gene.estimates.map((one) => ({ panel: gene.title, contrast: one.contrast, label: one.label, estimate: one.estimate, low: one.low, high: one.high, words: narrow ? one.words : one.called }))),
  };
  // the pictures of one gene have room beside each other
  document.getElementById("lookup-pictures").classList.toggle("wide", genes.length > 1);
  for (const [kind, [figure, data]] of Object.entries(LOOKUP_PICTURES)) {
    const spec = structuredClone(await figureOf(figure));
    spec.datasets[data] = rows[kind];
    spec.facet.sort = [...new Set(rows[kind].map((row) => row.panel))];
    if (kind === "donors" && genes.length === 1) [spec.spec.width, spec.spec.height] = [1.6 * spec.spec.width, 220];
    if (kind === "estimates" && narrow) spec.spec.width = 110;
    chosen.specs[kind] = spec;
    await draw(document.getElementById(`lookup-${kind}`), spec);
  }
}

// Several genes have their name and id in front of each row; of one the caption says them.
const ofEach = (genes, rows) => genes.flatMap((gene) => rows(gene).map((row) => (genes.length > 1 ? [gene.name, gene.id, ...row] : row)));

function fillLookup(genes, samples, settings) {
  const what = genes.length === 1 ? genes[0].title : `${genes.length} genes`;
  const heads = (own) => (genes.length > 1 ? ["Gene", "Gene id", ...own] : own);
  fill("lookup-about", "The genes", ["Gene", "Gene id", "Other ids", "Id in the counts", "Mean normalised count", "Gene sets", "Flags"], genes.map((gene) => gene.about));
  fill("lookup-contrasts", `${what} in every contrast`, heads(CONTRAST_HEADS), ofEach(genes, (gene) => gene.rows));
  fill("lookup-levels", `${what} in ${settings.lookup_donors}, log2 of normalised count + 0.5`, heads(donorHeads(settings)), ofEach(genes, (gene) => donorRows(samples, gene.levels, settings)));
}

function button(text, label, data) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "quiet";
  made.textContent = text;
  if (label) made.setAttribute("aria-label", label);
  Object.assign(made.dataset, data);
  return made;
}

function listChosen(index) {
  document.getElementById("lookup-chosen").replaceChildren(
    ...chosen.at.map((at) => {
      const item = document.createElement("li");
      item.append(`${nameAndId(index, at)} `, button("Remove", `Remove ${nameAndId(index, at)}`, { remove: at }));
      return item;
    }),
  );
  document.getElementById("lookup-clear").hidden = chosen.at.length < 2;
}

// What became of the names: for those without a gene the reason, and near names to add instead.
function sayLookup(first) {
  const lines = chosen.said.map(({ note, why, near = [] }) => {
    const line = document.createElement("p");
    line.append(note ?? why);
    if (near.length) line.append(" Nearest names: ", ...near.flatMap((name) => [button(name, `Add ${name}`, { add: name }), " "]));
    return line;
  });
  const begin = document.createElement("p");
  begin.textContent = first;
  document.getElementById("lookup-status").replaceChildren(...(first ? [begin] : []), ...lines);
}

const counted = (count, what) => `${count} ${what}${count === 1 ? "" : "s"}`;

async function showChosen() {
  const turn = ++chosen.turn;
  const { index, samples } = await json("genes");
  const settings = await json("settings");
  const genes = await Promise.all(chosen.at.slice(0, MOST_SHOWN).map((at) => geneAt(at, settings)));
  if (turn !== chosen.turn) return;
  listChosen(index);
  document.getElementById("lookup-result").hidden = !genes.length;
  const names = genes.map((gene) => gene.name);
  const more = chosen.at.length - genes.length;
  const first = `${names.join(", ")}: ${counted(chosen.at.length, "gene")}, ${counted(settings.contrasts.length, "contrast")}, ${counted(samples.length, "sample")}.`;
  sayLookup(genes.length ? `${first}${more ? ` The page shows the first ${genes.length} genes; the CSV files hold all.` : ""}` : "");
  if (!genes.length) return;
  document.getElementById("lookup-name").textContent = names.length > 6 ? `${names.slice(0, 6).join(", ")} and ${chosen.at.length - 6} more` : names.join(", ");
  fillLookup(genes, samples, settings);
  await drawLookup(genes, samples, settings);
}

// The address holds the chosen genes, so that Back returns to earlier ones and a link can be kept.
function goTo(places, index) {
  chosen.own = true;
  const hash = places.length ? `#genes=${places.map((at) => encodeURIComponent(index.id[at])).join(",")}` : "#lookup";
  if (hash === window.location.hash) followLookup();
  else window.location.hash = hash;
}

async function choose(names, keep) {
  const { index } = await lookupIndex();
  const found = await Promise.all(names.map(findGene));
  chosen.said = found.filter((one) => one.note || one.why);
  goTo([...new Set([...keep, ...found.map((one) => one.at).filter((at) => at !== undefined)])], index);
}

async function followLookup() {
  const match = /^#(gene|genes)=(.*)$/.exec(window.location.hash);
  const own = chosen.own;
  chosen.own = false;
  if (!match && !(own && window.location.hash === "#lookup")) return;
  const names = match ? (match[1] === "gene" ? [match[2]] : match[2].split(",")).map(decodeURIComponent) : [];
  const found = await Promise.all(names.map(findGene));
  if (!own) chosen.said = found.filter((one) => one.note || one.why);
  chosen.at = [...new Set(found.map((one) => one.at).filter((at) => at !== undefined))];
  if (!own) document.getElementById("lookup").scrollIntoView();
  await showChosen();
  if (!own && chosen.at.length) document.getElementById("lookup-name").focus();
}
