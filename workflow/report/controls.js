// Small controls: long tables, choices of a contrast, text to copy.

// Rows beyond the first of a long table, which a button shows. Printed, all rows are there.
function shortenTables() {
  const narrow = window.innerWidth < 640;
  for (const table of document.querySelectorAll("table[data-first]")) {
    const first = Math.min(Number(table.dataset.first), narrow ? 8 : Infinity);
    // a body is one entry where there are several
    const rows = [...(table.tBodies.length > 1 ? table.tBodies : table.tBodies[0].rows)];
    // a button for a row or two is not worth it
    if (rows.length <= first + 3) continue;
    const more = rows.slice(first);
    const button = document.createElement("button");
    button.type = "button";
    const show = (all) => {
      more.forEach((row) => row.classList.toggle("more", !all));
      button.setAttribute("aria-expanded", String(all));
      button.textContent = all ? `Show the first ${first} rows` : `Show all ${rows.length} rows`;
    };
    button.addEventListener("click", () => show(button.getAttribute("aria-expanded") === "false"));
    show(false);
    table.parentElement.after(button);
  }
}

// A choice shows one of several parts of the page. Printed, or without this script, all are there.
function prepareChoosers() {
  for (const choice of document.querySelectorAll("select[data-parts]")) {
    const parts = [...document.querySelectorAll(`[data-part="${choice.dataset.parts}"]`)];
    const follow = () => parts.forEach((part) => part.classList.toggle("closed", part.dataset.value !== choice.value));
    choice.addEventListener("change", follow);
    follow();
  }
}

// Without leave to use the clipboard the text is selected, for the reader to copy.
async function copyText(element, status) {
  try {
    await navigator.clipboard.writeText(element.textContent.trim());
    status.textContent = "Copied.";
  } catch {
    window.getSelection().selectAllChildren(element);
    status.textContent = "The text is selected: copy it with Ctrl+C.";
  }
}

function prepareCopying() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copyText(document.getElementById(button.dataset.copy), button.nextElementSibling);
  });
}
