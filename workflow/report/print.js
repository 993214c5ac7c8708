// Printing: every figure and table is drawn, whatever was scrolled to, folded away or not chosen.
// What one looks up (class `reference`: columns, citations, config) stays folded away.

// An open document in a frame holds back the load event, after which `--print-to-pdf` prints.
function loadedAfter(work) {
  const frame = document.createElement("iframe");
  frame.hidden = true;
  document.body.append(frame);
  frame.contentDocument.open();
  return work().finally(() => {
    frame.contentDocument.close();
    frame.remove();
  });
}

// What is unpacked already needs no further wait: drawing then ends before the page is printed.
function preparePrinting(unpacked, fill) {
  loadedAfter(unpacked);
  let folded = [];
  window.addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open], .reference)")];
    folded.forEach((one) => (one.open = true));
    document.documentElement.classList.add("printing");
    document.querySelectorAll("[data-figure]").forEach(drawFigure);
    fill();
  });
  window.addEventListener("afterprint", () => {
    folded.forEach((one) => (one.open = false));
    document.documentElement.classList.remove("printing");
  });
}
