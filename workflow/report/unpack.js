// Blocks of data: text of gzip, of JSON or of packed columns (fibroserum/report/page/pack.py).

const DIGITS = new Uint8Array(127);
for (let code = 33, digit = 0; code < 127; code++) {
  if (!"<>&".includes(String.fromCharCode(code))) DIGITS[code] = digit++;
}

// Two characters are 13 bits; a last single one is the bits that its byte lacks.
function bytesOf(text) {
  const out = new Uint8Array(Math.ceil(((text.length >> 1) * 13) / 8));
  const pairs = text.length & ~1;
  let bits = 0;
  let held = 0;
  let at = 0;
  for (let i = 0; i < pairs; i += 2) {
    bits = (bits << 13) | (DIGITS[text.charCodeAt(i)] * 91 + DIGITS[text.charCodeAt(i + 1)]);
    for (held += 13; held >= 8; held -= 8) out[at++] = bits >>> (held - 8);
  }
  if (text.length > pairs) out[at++] = (bits << (8 - held)) | DIGITS[text.charCodeAt(pairs)];
  return out.subarray(0, at);
}

async function inflate(id) {
  const bytes = bytesOf(document.getElementById(`block-${id}`).textContent);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const opened = new Map();

// Each block is unpacked once, when it is first asked for.
function once(key, make) {
  if (!opened.has(key)) opened.set(key, make());
  return opened.get(key);
}

async function inflateJson(id) {
  return JSON.parse(new TextDecoder().decode(await inflate(id)));
}

const json = (id) => once(id, () => inflateJson(id));

// A figure's specification; the page holds its data by columns.
async function figureOf(name) {
  const spec = (await json("figures"))[name];
  const datasets = {};
  for (const [held, columns] of Object.entries(spec.datasets)) {
    const names = Object.keys(columns);
    const rows = (columns[names[0]] ?? []).map((_, i) => Object.fromEntries(names.map((one) => [one, columns[one][i]])));
    datasets[held] = rows;
  }
  return { ...spec, datasets };
}

// Libraries are data of the page, and run when first needed; the policy holds their hashes.
function library(name) {
  return once(`library-${name}`, async () => {
    const script = document.createElement("script");
    script.textContent = new TextDecoder().decode(await inflate(`library-${name}`));
    document.head.append(script);
  });
}

// Whole numbers, stored plane by plane of bytes, the lowest first.
function naturals(bytes, count, width) {
  const out = new Uint32Array(count);
  for (let plane = 0; plane < width; plane++) {
    for (let i = 0; i < count; i++) out[i] |= bytes[plane * count + i] << (8 * plane);
  }
  return out;
}

// The same for signed numbers, folded as 0, -1, 1, -2, 2 …
function integers(bytes, count, width) {
  return Int32Array.from(naturals(bytes, count, width), (n) => (n >>> 1) ^ -(n & 1));
}

// A column may be stored as its difference from what other columns predict.
function fixedColumn(bytes, about, made) {
  const missing = -(2 ** (8 * about.width - 1));
  const rest = integers(bytes, about.n, about.width);
  const near = (about.expected ?? []).map((name) => made[name].whole);
  const guess = (i) => {
    const known = near.map((column) => column[i]);
    if (!known.length || known.includes(null)) return 0;
    return known.length === 1 ? known[0] : 2 * known[0] - known[1];
  };
  const whole = Array.from(rest, (number, i) => (number === missing ? null : number + guess(i)));
  const unit = 10 ** about.digits;
  return {
    whole,
    number: (i) => (whole[i] === null ? null : whole[i] / unit),
    text: (i) => (whole[i] === null ? "" : (whole[i] / unit).toFixed(about.digits)),
  };
}

// Small numbers with a power of ten, so that they can be told apart at a glance.
function printed(value, digits) {
  if (value === 0) return "0";
  return value < 1e-4 ? value.toExponential(digits - 1) : value.toPrecision(digits);
}

// As printed on the page: a minus sign that is read as one, and a dash for a missing number.
const shown = (text) => (text === "" ? "–" : text.replace(/^-/, "−"));

function significantColumn(bytes, about) {
  const mantissa = naturals(bytes, about.n, 2);
  const power = integers(bytes.subarray(2 * about.n), about.n, 2);
  const number = (i) => (mantissa[i] === 0xffff ? null : Number(`${mantissa[i]}e${power[i]}`));
  const text = (i) => {
    const value = number(i);
    if (value === null) return "";
    return value >= 10 ** (about.digits - 1) ? String(value) : printed(value, about.digits);
  };
  return { number, text };
}

function wordColumn(bytes, about) {
  const word = (i) => about.words[bytes[i]];
  return { number: word, text: word };
}

const COLUMN_KINDS = { fixed: fixedColumn, significant: significantColumn, words: wordColumn };

// Columns of a packed table by name; each gives a row's number, and its text as it is printed.
function columns(id) {
  return once(id, async () => {
    const bytes = await inflate(id);
    const length = new DataView(bytes.buffer).getUint32(0, true);
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
    const body = bytes.subarray(4 + length);
    const made = {};
    for (const [name, about] of Object.entries(header)) {
      made[name] =
        about.kind === "same"
          ? (await columns(about.block))[name]
          : COLUMN_KINDS[about.kind](body.subarray(about.at), about, made);
    }
    return made;
  });
}

function save(name, text, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
