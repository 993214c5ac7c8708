// Pictures: Vega-Lite specifications that the pipeline made, drawn when they come into view.

const views = new Map();

// Text and lines take the colour of the page, so that light, dark and print need no redrawing.
function themed(config, width) {
  const ink = "currentColor";
  const words = { labelColor: ink, titleColor: ink };
  return {
    ...config,
    background: null,
    axis: { ...config.axis, ...words },
    // a narrow page has no room for a row of entries
    legend: { ...config.legend, ...words, symbolBaseFillColor: ink, direction: width < 480 ? "vertical" : "horizontal", gradientDirection: "horizontal" },
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

function fitted(spec, width) {
  const made = structuredClone(spec);
  if (spec.usermeta.responsive && !made.facet) {
    made.width = "container";
    made.autosize = { type: "fit-x", contains: "padding" };
  }
  if (spec.usermeta.panel) made.columns = Math.max(1, Math.floor(width / spec.usermeta.panel));
  return made;
}

async function draw(element, spec) {
  await library("vega");
  const settings = await json("settings");
  const made = fitted(spec, element.clientWidth);
  made.config = themed(settings.config, element.clientWidth);
  const labels = spec.usermeta.labels;
  const result = await window.vegaEmbed(element, made, {
    mode: "vega-lite",
    actions: false,
    renderer: "svg",
    ast: true,
    patch: labels ? separateLabels(labels, settings.labels) : undefined,
    tooltip: { theme: "custom" },
  });
  // a picture of a fixed size shrinks a little before it scrolls
  const drawing = element.querySelector("svg");
  element.classList.toggle("fit", drawing && 0.6 * drawing.width.baseVal.value <= element.clientWidth);
  result.view.addEventListener("click", (event, item) => {
    const id = item?.datum?.gene_id;
    if (id) window.location.hash = `gene=${encodeURIComponent(id)}`;
  });
  return result;
}

function drawFigure(element) {
  const name = element.dataset.figure;
  return once(`figure-${name}`, async () => {
    const result = await draw(element, (await json("figures"))[name]);
    views.set(name, result.view);
    element.dataset.drawn = "yes";
  });
}

// Those in view first; the rest while nothing else is to do, so that printing finds them all.
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
    const element = elements.find((one) => !opened.has(`figure-${one.dataset.figure}`));
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
