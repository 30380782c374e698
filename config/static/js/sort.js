// <th data-sort> becomes a button; cells sort by data-value, or by their text in the page's language.
function value(row, index) {
  const cell = row.cells[index];
  return cell.dataset.value ?? cell.textContent.trim();
}

function compare(a, b) {
  if (a === "" || b === "") return (a === "") - (b === ""); // absent values stay last
  const [x, y] = [Number(a), Number(b)];
  if (!Number.isNaN(x) && !Number.isNaN(y)) return x - y;
  return a.localeCompare(b, document.documentElement.lang);
}

function sortBy(header, descending = header.getAttribute("aria-sort") !== "descending") {
  const table = header.closest("table");
  const index = header.cellIndex;
  for (const other of header.parentElement.cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const rows = [...table.tBodies[0].rows].filter((row) => !row.classList.contains("row-total"));
  const sign = descending ? -1 : 1;
  rows.sort((a, b) => {
    const [x, y] = [value(a, index), value(b, index)];
    return x === "" || y === "" ? compare(x, y) : sign * compare(x, y);
  });
  table.tBodies[0].append(...rows);
}

// Bring a newer table into the order that the reader has given to the one it replaces.
export function sortAlike(current, newer) {
  if (current.localName !== "table") return;
  const header = current.tHead?.querySelector("th[aria-sort]");
  const twin = newer.tHead?.rows[header?.parentElement.rowIndex]?.cells[header.cellIndex];
  if (twin?.matches("[data-sort]")) sortBy(twin, header.getAttribute("aria-sort") === "descending");
}

export function prepare(root) {
  for (const header of root.querySelectorAll("th[data-sort]:not(:has(.sort))")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...header.childNodes);
    button.addEventListener("click", () => sortBy(header));
    header.append(button);
  }
}

prepare(document);
document.addEventListener("htmx:load", (event) => prepare(event.target));
