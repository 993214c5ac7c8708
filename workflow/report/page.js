// Starts the scripts of the page.

function prepareDownloads() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-save]");
    if (button) saveFigure(button.dataset.save);
  });
  document.getElementById("save-bibtex").addEventListener("click", () => {
    save("references.bib", document.getElementById("bibtex").textContent, "text/plain");
  });
  document.getElementById("save-config").addEventListener("click", () => {
    save("config.json", document.getElementById("config").textContent, "application/json");
  });
}

// The style sheet of DataTables switches to dark by a class.
function followTheme() {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const set = () => document.documentElement.classList.toggle("dark", dark.matches);
  dark.addEventListener("change", set);
  set();
}

followTheme();
shortenTables();
prepareChoosers();
prepareCopying();
drawLazily();
fillLazily();
prepareLookup();
prepareTips();
prepareDownloads();
preparePrinting(async () => {
  // the first figures are drawn before the tables are unpacked
  await Promise.all([library("vega"), json("figures"), json("settings")]);
  await unpackTables();
}, fillAll);
