"use strict";
// Choices show one panel of their set; without scripts, all panels are shown.
for (const choice of document.querySelectorAll(".choice[data-for]")) {
  const panels = document.querySelectorAll(`[data-set="${choice.dataset.for}"]`);
  const show = (key) => {
    for (const panel of panels) panel.hidden = panel.dataset.panel !== key;
    for (const button of choice.children) button.setAttribute("aria-pressed", button.value === key);
  };
  for (const button of choice.children) button.addEventListener("click", () => show(button.value));
  choice.hidden = false;
  show(choice.firstElementChild.value);
}
// Columns sort, by numbers where all are; gaps stay last. The largest comes first, texts and
// columns that say so begin with the least.
for (const head of document.querySelectorAll("th button")) {
  head.addEventListener("click", () => {
    const column = head.parentElement;
    const index = column.cellIndex;
    const body = column.closest("table").tBodies[0];
    const key = (row) => row.cells[index].dataset.sort ?? "";
    const texts = [...body.rows].some((row) => isNaN(key(row)));
    const rising = texts || column.dataset.first === "ascending";
    const before = column.getAttribute("aria-sort");
    const down = before ? before === "ascending" : !rising;
    for (const other of column.parentElement.cells) other.removeAttribute("aria-sort");
    column.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = [...body.rows].sort((a, b) => {
      const [x, y] = [key(a), key(b)];
      if (x === "" || y === "") return (x === "") - (y === "");
      const order = texts ? x.localeCompare(y) : x - y;
      return down ? -order : order;
    });
    body.append(...rows);
  });
}
