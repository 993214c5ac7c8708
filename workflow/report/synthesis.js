// Starts the scripts of the page of a synthesis: figures, and a button to save each.

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-save]");
  if (button) saveFigure(button.dataset.save);
});
shortenTables();
drawLazily();
preparePrinting(() => Promise.all([library("vega"), json("figures"), json("settings")]), () => {});
