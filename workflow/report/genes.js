// Genes by name: symbols, ids and earlier symbols, and names that are near one that no gene has.

const MOST_HINTS = 12;
const MOST_NEAR = 3;

const lookupIndex = () =>
  once("lookup-index", async () => {
    const { index, left_out: leftOut } = await json("genes");
    const found = new Map();
    // ids last: they win over symbols, and symbols over other ids
    for (const field of ["entrez", "ensembl", "symbol", "id"]) {
      (index[field] ?? []).forEach((name, at) => {
        if (name && (field === "id" || !found.has(name.toLowerCase()) || field === "symbol")) found.set(name.toLowerCase(), at);
      });
    }
    const earlier = new Map();
    index.earlier.forEach((names, at) => names && names.split("|").forEach((name) => earlier.set(name.toLowerCase(), at)));
    const reasons = new Map();
    for (const [reason, names] of Object.entries(leftOut)) names.forEach((name) => reasons.set(name.toLowerCase(), reason));
    return { index, found, earlier, reasons };
  });

const geneName = (index, at) => index.symbol[at] || index.id[at];

// A gene's symbol with its id beside it; the id alone where there is no other name.
const nameAndId = (index, at) => (geneName(index, at) === index.id[at] ? index.id[at] : `${geneName(index, at)} (${index.id[at]})`);

async function hints(text) {
  const { index, found } = await lookupIndex();
  const wanted = text.trim().toLowerCase();
  const out = new Set();
  if (!wanted) return [];
  for (const [name, at] of found) {
    if (name.startsWith(wanted)) out.add(geneName(index, at));
    if (out.size >= MOST_HINTS) break;
  }
  return [...out];
}

// The names in a text: one that a gene has is one name, whatever letters it holds.
async function namesIn(text) {
  const { found } = await lookupIndex();
  const known = (name) => found.has(name.toLowerCase());
  const parts = (whole, marks) => whole.split(marks).map((part) => part.trim()).filter(Boolean);
  const lines = known(text.trim()) ? [text.trim()] : parts(text, /[\n\r]+/);
  const names = lines.flatMap((line) => (known(line) ? [line] : parts(line, /[\s,;|]+/).map((name) => name.replace(/^["']|["']$/g, ""))));
  return [...new Set(names.filter(Boolean))];
}

// Letters to add, drop, change or exchange with their neighbour (optimal string alignment).
function distance(a, b, most) {
  if (Math.abs(a.length - b.length) > most) return most + 1;
  let before = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const now = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      now[j] = Math.min(last[j] + 1, now[j - 1] + 1, last[j - 1] + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) now[j] = Math.min(now[j], before[j - 2] + 1);
    }
    if (Math.min(...now) > most) return most + 1;
    [before, last] = [last, now];
  }
  return last[b.length];
}

// Numbers of databases have no neighbours: one digit off is another gene.
const isNumbered = (name) => /^(ens[a-z]*\d+|\d+)/i.test(name);

async function nearNames(name) {
  const { index } = await lookupIndex();
  const wanted = name.toUpperCase();
  if (isNumbered(wanted)) return [];
  const most = wanted.length < 4 ? 1 : 2;
  const near = [];
  index.id.forEach((_, at) => {
    const other = geneName(index, at);
    const far = isNumbered(other) ? most + 1 : distance(wanted, other.toUpperCase(), most);
    if (far <= most) near.push([far, other]);
  });
  near.sort((a, b) => a[0] - b[0] || (a[1] < b[1] ? -1 : 1));
  return near.slice(0, MOST_NEAR).map(([, other]) => other);
}

// Where a name leads: the gene's place, or a sentence why there is none, and names that are near.
async function findGene(name) {
  const { index, found, earlier, reasons } = await lookupIndex();
  const wanted = name.toLowerCase();
  if (found.has(wanted)) return { at: found.get(wanted) };
  if (reasons.has(wanted)) return { name, why: `“${name}” was left out of the analysis (${reasons.get(wanted)}).`, near: [] };
  if (earlier.has(wanted)) {
    const at = earlier.get(wanted);
    return { at, note: `“${name}” is a previous or alias symbol of ${nameAndId(index, at)}.` };
  }
  return { name, why: `No gene is called “${name}” here: the counts have no row with this name.`, near: await nearNames(name) };
}

// How a gene's row in the counts got its symbol, where the id is not the gene's official one.
const MATCH_WORDS = {
  secondary: "another Ensembl id of the gene",
  alias: "a previous or alias symbol of the gene",
  shadowed: "an alias of a gene that has a row of its own; not mapped",
  ambiguous: "an alias of several genes; not mapped",
  unknown: "not in the table of human genes",
};

async function mappedAs(at) {
  const { matches } = await json("genes");
  const match = Object.keys(matches).find((one) => matches[one].includes(at));
  return match ? MATCH_WORDS[match] : "official id or symbol";
}
