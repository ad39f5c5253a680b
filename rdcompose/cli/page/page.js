"use strict";
// Tables are sorted by the heading that is chosen, and long ones get a field to search in. The
// page says the same without.
const order = new Intl.Collator("en", {numeric: true});

function value(row, index) {
  const cell = row.cells[index];
  return cell.dataset.v === undefined ? cell.textContent : Number(cell.dataset.v);
}

function compare(left, right) {
  if (typeof left === "number" && typeof right === "number") return left - right;
  return order.compare(left, right);
}

function sort(table, head, index) {
  const down = head.getAttribute("aria-sort") === "descending";
  const number = head.classList.contains("n");
  const descending = head.hasAttribute("aria-sort") ? !down : number;
  for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const rows = Array.from(table.tBodies[0].rows, (row) => [value(row, index), row]);
  rows.sort((left, right) => compare(left[0], right[0]) * (descending ? -1 : 1));
  table.tBodies[0].append(...rows.map((pair) => pair[1]));
}

function search(table) {
  const label = document.createElement("label");
  const field = document.createElement("input");
  label.className = "filter";
  field.type = "search";
  field.addEventListener("input", () => {
    const wanted = field.value.toLowerCase();
    for (const row of table.tBodies[0].rows) {
      row.hidden = !row.textContent.toLowerCase().includes(wanted);
    }
  });
  label.append("Only rows with ", field);
  table.parentNode.before(label);
}

for (const table of document.querySelectorAll("table")) {
  const rows = table.tBodies[0].rows.length;
  if (rows < 2) continue;
  Array.from(table.tHead.rows[0].cells, (head, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(table, head, index));
    head.append(button);
  });
  if (rows > 20) search(table);
}
