// The page comes alive.

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

// DataTables' style sheet knows dark by a class.
function followTheme() {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const set = () => document.documentElement.classList.toggle("dark", dark.matches);
  dark.addEventListener("change", set);
  set();
}

followTheme();
drawLazily();
fillLazily();
prepareLookup();
prepareTips();
prepareDownloads();
// printed pages show what is folded away
window.addEventListener("beforeprint", () => {
  document.querySelectorAll("details").forEach((one) => (one.open = true));
});
