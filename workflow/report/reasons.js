// Why a gene has its call: codes from the pipeline, put into words where they are asked for.

// The sentences of a gene's call in a contrast; those of a target are its verdict's.
async function reasonOf(contrast, at) {
  const { contrasts, reasons } = await json("settings");
  const { index, verdicts } = await json("genes");
  const table = await columns(`contrast-${contrast}`);
  const call = table.call.text(at);
  const codes = table.reason.text(at);
  const filled = (words) => words.replace(/{(\w+)}/g, (_, name) => shown(table[name].text(at)));
  const conditions = codes ? [...codes].map((code) => filled(reasons[code])).join(" ") : "All conditions of a call are met.";
  const [verdict, why, other] = verdicts[index.id[at]]?.[contrasts[contrast].name] ?? [];
  return { call, verdict, said: verdict ? [why, other].filter(Boolean).join(" ") : conditions, conditions };
}

// One tip for the page: beside the gene that the mouse or the keyboard is on.
function prepareTips() {
  const tip = document.getElementById("gene-tip");
  let owner = null;
  const hide = () => {
    owner?.removeAttribute("aria-describedby");
    owner = null;
    tip.hidden = true;
  };
  const place = (element) => {
    const at = element.getBoundingClientRect();
    tip.style.left = `${Math.max(8, Math.min(at.left, document.documentElement.clientWidth - tip.offsetWidth - 8))}px`;
    const below = at.bottom + 4;
    tip.style.top = `${below + tip.offsetHeight < window.innerHeight ? below : Math.max(0, at.top - tip.offsetHeight - 4)}px`;
  };
  const show = async (element) => {
    if (owner === element) return;
    hide();
    owner = element;
    const words = await tipWords(element);
    if (owner !== element || !words) return;
    tip.textContent = words;
    tip.hidden = false;
    element.setAttribute("aria-describedby", tip.id);
    place(element);
  };
  const of = (event) => event.target.closest?.("[data-gene], [data-why]");
  for (const [enter, leave] of [["mouseover", "mouseout"], ["focusin", "focusout"]]) {
    document.addEventListener(enter, (event) => of(event) && show(of(event)));
    // the tip itself may be pointed at, so that it can be read enlarged
    document.addEventListener(leave, (event) => of(event) && event.relatedTarget !== tip && hide());
  }
  tip.addEventListener("mouseleave", hide);
  document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
  window.addEventListener("scroll", () => owner && place(owner), { passive: true, capture: true });
}

// A gene's id, and where the table is of one contrast (data-why), its call there.
async function tipWords(element) {
  const { index, found } = await lookupIndex();
  if (element.dataset.why === undefined) {
    const at = found.get(element.dataset.gene.toLowerCase());
    return at === undefined ? "" : nameAndId(index, at);
  }
  const [contrast, at] = element.dataset.why.split(":").map(Number);
  const { contrasts } = await json("settings");
  const { call, verdict, said, conditions } = await reasonOf(contrast, at);
  const words = verdict ? `verdict as a target: ${verdict.replaceAll("_", " ")}; genome-wide call: ${call}` : `call: ${call}`;
  return `${nameAndId(index, at)}, ${contrasts[contrast].label}, ${words}. ${verdict ? conditions : said}`;
}

// The hover text of volcano and MA plots has the same words, once the contrast's numbers are open.
tooltips.of = (name, settings) => {
  const contrast = settings.contrasts.findIndex(({ file }) => name === `volcano_${file}` || name === `ma_${file}`);
  if (contrast < 0) return {};
  const reasons = new Map();
  let last = null;
  const row = ([key, text]) => `<tr><td class="key">${asText(key)}</td><td class="value">${asText(text)}</td></tr>`;
  const rows = () => Object.entries({ ...last, ...reasons.get(last["Gene id"]) }).map(row).join("");
  const markup = () => `<table><tbody>${rows()}</tbody></table>`;
  const ask = async (id) => {
    const { found } = await lookupIndex();
    const { verdict, call, conditions } = await reasonOf(contrast, found.get(id.toLowerCase()));
    reasons.set(id, { ...(verdict && verdict !== call ? { "Verdict as a target": verdict.replaceAll("_", " ") } : {}), Why: conditions });
    const open = document.querySelector("#vg-tooltip-element.visible");
    if (open && last["Gene id"] === id) open.innerHTML = markup();
  };
  return {
    formatTooltip: (value) => {
      last = value;
      const id = value["Gene id"];
      if (id !== undefined && !reasons.has(id)) ask(id);
      return markup();
    },
  };
};
