// Which branches of a tree a reader has folded stays so on every page of it, in every period, on this device.
const KEY = "folded";

const folded = new Set((localStorage.getItem(KEY) ?? "").split(" ").filter(Boolean));

for (const branch of document.querySelectorAll("[data-fold]")) {
  if (folded.has(branch.dataset.fold)) branch.open = false;
}

document.addEventListener("toggle", ({ target }) => {
  if (!target.matches("[data-fold]")) return;
  if (target.open) folded.delete(target.dataset.fold);
  else folded.add(target.dataset.fold);
  localStorage.setItem(KEY, [...folded].join(" "));
}, true);
