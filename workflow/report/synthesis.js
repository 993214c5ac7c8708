// The page of a synthesis comes alive: pictures, and a button to save each.

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-save]");
  if (button) saveFigure(button.dataset.save);
});
drawLazily();
// printed pages show what is folded away
window.addEventListener("beforeprint", () => {
  document.querySelectorAll("details").forEach((one) => (one.open = true));
});
