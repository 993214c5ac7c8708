// Figures: Vega-Lite specifications that the pipeline made, drawn when they come into view.

const views = new Map();
// how many times wider than designed a panel may be
const MOST_WIDENED = 1.8;

// Options of a figure's hover text beyond the common ones, by its name; the cohort's page has some.
const tooltips = { of: () => ({}) };

// A narrow page has no room for a row of entries, nor for legends side by side.
function stacked(width) {
  if (width >= 480) return { direction: "horizontal" };
  return { direction: "vertical", layout: { top: { direction: "vertical", anchor: "start" } } };
}

// Text and lines take the colour of the page, so that light, dark and print need no redrawing.
function themed(config, width) {
  const ink = "currentColor";
  const words = { labelColor: ink, titleColor: ink };
  return {
    ...config,
    background: null,
    axis: { ...config.axis, ...words },
    legend: { ...config.legend, ...words, symbolBaseFillColor: ink, ...stacked(width) },
    header: { ...config.header, ...words },
    text: { ...config.text, color: ink },
  };
}

// Labels of the named text layer keep apart, by Vega's label layout.
function separateLabels(layer, layout) {
  return (vega) => {
    for (const mark of vega.marks) {
      if (mark.name === `${layer}_marks`) mark.transform = [...(mark.transform ?? []), layout];
    }
    return vega;
  };
}

// On a narrow page the entries of a legend stand below each other.
function withoutColumns(part) {
  if (!part || typeof part !== "object") return;
  if (part.legend) delete part.legend.columns;
  Object.values(part).forEach(withoutColumns);
}

function fitted(spec, width) {
  const made = structuredClone(spec);
  if (width < 480) [made.encoding, made.layer, made.spec, made.vconcat].forEach(withoutColumns);
  if (spec.usermeta.responsive && !made.facet) {
    made.width = "container";
    made.autosize = { type: "fit-x", contains: "padding" };
    // the last label of an axis stands half beyond it
    made.padding = { left: 5, top: 5, right: 14, bottom: 5 };
  }
  if (spec.usermeta.panel) {
    // rows of equal length, as many panels to a row as there is room for, and as wide as there is
    const { panel } = spec.usermeta;
    const panels = spec.facet.sort.length;
    const most = Math.max(1, Math.floor(width / panel));
    made.columns = Math.ceil(panels / Math.ceil(panels / most));
    const room = Math.floor(width / made.columns) - panel;
    made.spec.width = Math.max(made.spec.width, Math.min(made.spec.width + room, MOST_WIDENED * made.spec.width));
  }
  return made;
}

// A single picture of a fixed width is drawn anew at the width there is, so that its words keep
// their size; null where it fits.
function narrowed(made, aspect, excess) {
  if (excess < 2 || made.facet || typeof made.width !== "number") return null;
  const width = Math.max(100, made.width - excess);
  if (width === made.width) return null;
  const height = aspect ? Math.round((made.height * width) / made.width) : made.height;
  return { ...made, width, height };
}

async function draw(element, spec, name = "") {
  await library("vega");
  const settings = await json("settings");
  const made = fitted(spec, element.clientWidth);
  made.config = themed(settings.config, element.clientWidth);
  const labels = spec.usermeta.labels;
  const embed = (one) =>
    window.vegaEmbed(element, one, {
      mode: "vega-lite",
      actions: false,
      renderer: "svg",
      ast: true,
      patch: labels ? separateLabels(labels, settings.labels) : undefined,
      tooltip: { theme: "custom", ...tooltips.of(name, settings) },
    });
  const width = () => element.querySelector("svg")?.width.baseVal.value ?? 0;
  let result = await embed(made);
  const narrow = narrowed(made, spec.usermeta.aspect, Math.ceil(width() - element.clientWidth));
  if (narrow) {
    result.finalize();
    result = await embed(narrow);
  }
  // what is still too wide shrinks a little before it scrolls
  element.classList.toggle("fit", 0.8 * width() <= element.clientWidth);
  result.view.addEventListener("click", (event, item) => {
    const id = item?.datum?.gene_id;
    if (id) window.location.hash = `gene=${encodeURIComponent(id)}`;
  });
  return result;
}

function drawFigure(element) {
  const name = element.dataset.figure;
  return once(`figure-${name}`, async () => {
    const result = await draw(element, await figureOf(name), name);
    views.set(name, result.view);
    element.dataset.drawn = "yes";
  });
}

// Those in view first; the rest while nothing else is to do.
function drawLazily() {
  const elements = [...document.querySelectorAll("[data-figure]")];
  const seen = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (entry.isIntersecting) {
          seen.unobserve(entry.target);
          drawFigure(entry.target);
        }
      }
    },
    { rootMargin: "300px" },
  );
  elements.forEach((element) => seen.observe(element));
  const idle = window.requestIdleCallback ?? ((work) => setTimeout(work, 50));
  const next = () => {
    // a figure that is folded away has no width yet: it is drawn when it is shown
    const element = elements.find((one) => !opened.has(`figure-${one.dataset.figure}`) && one.clientWidth > 0);
    if (element) idle(() => drawFigure(element).then(next));
    else document.documentElement.dataset.ready = "yes";
  };
  setTimeout(next, 1500);
}

async function saveFigure(name) {
  const element = document.querySelector(`[data-figure="${CSS.escape(name)}"]`);
  await drawFigure(element);
  save(`${name}.svg`, await views.get(name).toSVG(), "image/svg+xml");
}
