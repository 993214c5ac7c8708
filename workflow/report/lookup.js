// Gene lookup: any symbol or id, in every contrast, donor and gene set.

const MOST_HINTS = 12;

const lookupIndex = () =>
  once("lookup-index", async () => {
    const { index } = await json("genes");
    const found = new Map();
    // ids last: they win over symbols, and symbols over other ids
    for (const field of ["entrez", "ensembl", "symbol", "id"]) {
      (index[field] ?? []).forEach((name, at) => {
        if (name && (field === "id" || !found.has(name.toLowerCase()) || field === "symbol")) found.set(name.toLowerCase(), at);
      });
    }
    return { index, found };
  });

const geneName = (index, at) => index.symbol[at] || index.id[at];

async function hints(text) {
  const { index, found } = await lookupIndex();
  const wanted = text.trim().toLowerCase();
  const out = [];
  if (!wanted) return out;
  for (const [name, at] of found) {
    if (name.startsWith(wanted)) out.push(geneName(index, at));
    if (out.length >= MOST_HINTS) break;
  }
  return [...new Set(out)];
}

// numbers, intervals, and dashes in place of either
const NUMBER = /^(–|[−\d.,e-]+( to [−\d.,e-]+)?)$/;
const isNumber = (texts) => texts.every((text) => NUMBER.test(text)) && texts.some((text) => text !== "–");

function cells(row, texts, tag, numbers) {
  texts.forEach((text, at) => {
    const cell = document.createElement(at === 0 && tag === "td" ? "th" : tag);
    if (cell.tagName === "TH") cell.scope = tag === "th" ? "col" : "row";
    cell.textContent = text;
    if (numbers[at]) cell.className = "num";
    row.append(cell);
  });
}

function fill(table, caption, heads, rows) {
  table.replaceChildren();
  const words = document.createElement("span");
  words.textContent = caption;
  table.createCaption().append(words);
  const numbers = heads.map((_, at) => at > 0 && isNumber(rows.map((texts) => texts[at])));
  cells(table.createTHead().insertRow(), heads, "th", numbers);
  const body = table.createTBody();
  rows.forEach((texts) => cells(body.insertRow(), texts, "td", numbers));
}

function list(element, texts, none) {
  element.replaceChildren(
    ...(texts.length ? texts : [none]).map((text) => {
      const item = document.createElement("li");
      item.textContent = text;
      return item;
    }),
  );
}

// log2(normalized count + 0.5) of one gene in every sample, in hundredths.
async function levelsOf(at, genes, samples) {
  const middle = await once("levels-middle", async () => integers(await inflate("levels-middle"), genes, 2));
  const rest = await once("levels-rest", async () => integers(await inflate("levels-rest"), genes * samples, 2));
  return Array.from({ length: samples }, (_, i) => (middle[at] + rest[at * samples + i]) / 100);
}

// A donor's places in the times, and where it starts: what the lines and the groups' means need.
function slopeRows(samples, levels, settings) {
  const alone = Object.keys(settings.groups).length === 1;
  const times = [settings.before, ...settings.times];
  const starts = new Map(samples.map((one, i) => [one.time === settings.before ? pairOf(one) : null, levels[i]]));
  return samples.map((one, i) => ({
    filled: one.time === settings.before ? 0 : 1,
    panel: "", donor: one.donor, group: one.group, time: one.time, slot: alone ? one.time : `${one.group} ${one.time}`, level: levels[i],
    order: times.indexOf(one.time), start: starts.get(pairOf(one)) ?? null }));
}

const pairOf = (one) => JSON.stringify([one.donor, one.group]);

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

async function contrastRows(at, settings) {
  const all = await Promise.all(settings.contrasts.map((_, i) => columns(`contrast-${i}`)));
  const rows = settings.contrasts.map((contrast, i) => {
    const text = (name) => shown(all[i][name].text(at));
    return [contrast.name, text("log2FoldChange"), `${text("ci_low")} to ${text("ci_high")}`, text("pvalue"), text("weighted_padj"), text("second_weighted_padj"), text("confident_lfc"), text("call"), text("status").replaceAll("_", " ")];
  });
  const estimates = settings.contrasts.map((contrast, i) => ({
    contrast: contrast.name,
    label: contrast.label,
    estimate: all[i].log2FoldChange.number(at),
    low: all[i].ci_low.number(at),
    high: all[i].ci_high.number(at),
  }));
  return { rows, estimates };
}

async function drawLookup(id, figure, name, rows) {
  const spec = structuredClone((await json("figures"))[figure]);
  spec.datasets[name] = rows;
  const element = document.getElementById(id);
  await draw(element, spec);
}

function flagsOf(id, at, settings, flags) {
  const texts = flags
    .filter((flag) => flag.gene === at)
    .map((flag) => `${flag.factor}: ${flag.call}${flag.direction ? `, ${flag.direction}` : ""}`);
  if (Object.hasOwn(settings.targets, id)) texts.unshift(`target (${settings.targets[id]}): see the verdicts`);
  return texts;
}

async function showGene(text, focus) {
  const status = document.getElementById("lookup-status");
  const { index, found } = await lookupIndex();
  const at = found.get(text.trim().toLowerCase());
  const result = document.getElementById("lookup-result");
  if (at === undefined) {
    const near = await hints(text.trim().slice(0, 3));
    status.textContent = `No gene is called “${text.trim()}” here.${near.length ? ` Some that begin alike: ${near.slice(0, 6).join(", ")}.` : ""}`;
    result.hidden = true;
    return;
  }
  const settings = await json("settings");
  const { samples, sets, flags } = await json("genes");
  const { rows, estimates } = await contrastRows(at, settings);
  const levels = await levelsOf(at, index.id.length, samples.length);
  const name = geneName(index, at);
  result.hidden = false;
  document.getElementById("lookup-name").textContent = name;
  const mean = (await columns("contrast-0")).baseMean.text(at);
  const others = [index.id[at], index.ensembl?.[at], index.entrez?.[at]].filter((one) => one && one !== name);
  document.getElementById("lookup-about").textContent = `${others.length ? `${others.join(", ")}. ` : ""}Mean normalized count ${mean || "–"}.`;
  fill(document.getElementById("lookup-contrasts"), `${name} in every contrast`, ["Contrast", "log2 fold change", "95 % interval", "p", "Adjusted p", "Second model, adjusted p", "Confident size", "Call", "Status"], rows);
  fill(document.getElementById("lookup-levels"), `${name} in ${settings.lookup_donors}, log2 of normalized count + 0.5`, donorHeads(settings), donorRows(samples, levels, settings));
  const member = sets.filter((set) => set.genes.includes(at)).map((set) => `${set.name} (${set.collection})`);
  list(document.getElementById("lookup-sets"), member, "None of the sets of this run.");
  list(document.getElementById("lookup-flags"), flagsOf(index.id[at], at, settings, flags), "None.");
  await drawLookup("lookup-donors", "lookup_donors", "slopes", slopeRows(samples, levels, settings));
  await drawLookup("lookup-estimates", "lookup_estimates", "estimates", estimates);
  const counted = (count, what) => `${count} ${what}${count === 1 ? "" : "s"}`;
  status.textContent = `${name}: ${counted(rows.length, "contrast")}, ${counted(samples.length, "sample")}, ${counted(member.length, "gene set")}.`;
  if (focus) document.getElementById("lookup-name").focus();
}

function prepareLookup() {
  const input = document.getElementById("lookup-input");
  const options = document.getElementById("lookup-list");
  input.addEventListener("input", async () => {
    const names = await hints(input.value);
    options.replaceChildren(
      ...names.map((name) => {
        const option = document.createElement("option");
        option.value = name;
        return option;
      }),
    );
  });
  document.getElementById("lookup-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (input.value.trim()) showGene(input.value, true);
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-gene]");
    if (button) window.location.hash = `gene=${encodeURIComponent(button.dataset.gene)}`;
  });
  const follow = () => {
    const match = /^#gene=(.*)$/.exec(window.location.hash);
    if (!match) return;
    const name = decodeURIComponent(match[1]);
    input.value = name;
    document.getElementById("lookup").scrollIntoView();
    showGene(name, true);
  };
  window.addEventListener("hashchange", follow);
  follow();
}
