// The tree of the editor: arrow keys choose, Alt and an arrow key move, Enter opens, the mouse drags.
// Every move is a request; the server answers with the tree as it stands, and the focus stays on the moved node.
const STEPS = { ArrowUp: "up", ArrowDown: "down", ArrowLeft: "out", ArrowRight: "in" };
const NOWHERE = "00000000-0000-0000-0000-000000000000";
let focusAfterSwap = null;
let dragged = null;

const part = () => document.getElementById("editor-tree");
const tree = () => part()?.querySelector("[role=tree]");
const items = () => [...(tree()?.querySelectorAll("[role=treeitem]") ?? [])];
const seen = () => items().filter((item) => item.offsetParent !== null);
const parentOf = (item) => item.parentElement.closest("[role=treeitem]");
const siblingsOf = (item) => [...item.parentElement.children].filter((each) => each.matches("[role=treeitem]"));

function focus(item) {
  if (!item) return;
  for (const other of items()) other.tabIndex = other === item ? 0 : -1;
  item.focus({ preventScroll: false });
}

function select(code) {
  for (const item of items()) item.setAttribute("aria-selected", String(item.dataset.code === code));
}

function prepare() {
  const chosen = items().find((item) => item.getAttribute("aria-selected") === "true") ?? items()[0];
  if (chosen) chosen.tabIndex = 0;
  if (focusAfterSwap) focus(items().find((item) => item.dataset.code === focusAfterSwap));
  focusAfterSwap = null;
}

function move(item, values) {
  focusAfterSwap = item.dataset.code;
  const address = part().dataset.moveUrl.replace(NOWHERE, item.dataset.id);
  window.htmx.ajax("POST", address, { target: "#editor-tree", swap: "outerHTML", values });
}

function expand(item, isOpen) {
  if (item.hasAttribute("aria-expanded")) item.setAttribute("aria-expanded", String(isOpen));
}

function sideways(item, isRight) {
  const isOpen = item.getAttribute("aria-expanded") === "true";
  if (isRight && item.hasAttribute("aria-expanded")) {
    if (isOpen) focus(item.querySelector("[role=treeitem]"));
    else expand(item, true);
  } else if (!isRight) {
    if (isOpen) expand(item, false);
    else focus(parentOf(item));
  }
}

document.addEventListener("keydown", (event) => {
  const item = event.target.closest?.("[role=treeitem]");
  if (!item || event.target !== item || event.metaKey || event.ctrlKey) return;
  const shown = seen();
  const index = shown.indexOf(item);
  if (event.altKey) {
    if (!STEPS[event.key]) return;
    move(item, { step: STEPS[event.key] });
  } else if (event.key === "ArrowDown") focus(shown[index + 1]);
  else if (event.key === "ArrowUp") focus(shown[index - 1]);
  else if (event.key === "Home") focus(shown[0]);
  else if (event.key === "End") focus(shown.at(-1));
  else if (event.key === "ArrowRight" || event.key === "ArrowLeft") sideways(item, event.key === "ArrowRight");
  else if (event.key === "Enter") item.querySelector(".edit-name").click();
  else return;
  event.preventDefault();
});

document.addEventListener("click", (event) => {
  const fold = event.target.closest(".edit-fold");
  const item = event.target.closest("[role=treeitem]");
  if (!item) return;
  if (fold) expand(item, item.getAttribute("aria-expanded") !== "true");
  else if (event.target.closest(".edit-name")) {
    select(item.dataset.code);
    focus(item);
  }
});

// Above the middle of a node: before it; below: after it; the middle itself: as its last child.
function placeAt(row, y) {
  const box = row.getBoundingClientRect();
  const share = (y - box.top) / box.height;
  if (share < 0.25) return "before";
  return share > 0.75 ? "after" : "inside";
}

function clearMarks() {
  for (const row of document.querySelectorAll(".drop-before, .drop-after, .drop-inside")) {
    row.classList.remove("drop-before", "drop-after", "drop-inside");
  }
}

function target(event) {
  const row = event.target.closest?.(".edit-item");
  const item = row?.closest("[role=treeitem]");
  return item && dragged && !dragged.contains(item) ? { row, item } : null;
}

document.addEventListener("dragstart", (event) => {
  dragged = event.target.closest?.("[role=treeitem]");
  if (!dragged) return;
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", dragged.dataset.code);
  dragged.classList.add("is-dragged");
});

document.addEventListener("dragover", (event) => {
  const found = target(event);
  if (!found) return;
  event.preventDefault();
  clearMarks();
  found.row.classList.add(`drop-${placeAt(found.row, event.clientY)}`);
});

document.addEventListener("drop", (event) => {
  const found = target(event);
  if (!found) return;
  event.preventDefault();
  const place = placeAt(found.row, event.clientY);
  if (place === "inside") {
    move(dragged, { parent: found.item.dataset.code, position: found.item.querySelectorAll(":scope > [role=group] > li").length });
    return;
  }
  const others = siblingsOf(found.item).filter((each) => each !== dragged);
  const position = others.indexOf(found.item) + (place === "after" ? 1 : 0);
  move(dragged, { parent: parentOf(found.item)?.dataset.code ?? "", position });
});

document.addEventListener("dragend", () => {
  dragged?.classList.remove("is-dragged");
  dragged = null;
  clearMarks();
});

document.addEventListener("htmx:afterSettle", (event) => {
  if (event.target.closest?.("#editor-tree") || document.getElementById("editor-tree")?.contains(event.target)) prepare();
});
document.addEventListener("htmx:oobAfterSwap", prepare);

// Where the chosen node stands below the tree, choosing one leads there.
document.addEventListener("htmx:afterSwap", (event) => {
  const side = event.detail.target;
  if (side.id === "editor-side" && side.getBoundingClientRect().top > window.innerHeight / 2) side.scrollIntoView();
});
prepare();
