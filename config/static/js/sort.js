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

function sortBy(header) {
  const table = header.closest("table");
  const index = header.cellIndex;
  const descending = header.getAttribute("aria-sort") !== "descending";
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

function prepare(root) {
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
