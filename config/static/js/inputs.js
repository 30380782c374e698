// Values typed one below the other: Enter saves and goes on, arrows move, a pasted column runs down the list.
const fields = () => [...document.querySelectorAll(".entries:not(.entries-past) .entry-field")];

function neighbour(field, step) {
  const all = fields();
  return all[all.indexOf(field) + step];
}
function save(field) {
  if (field.value.trim()) field.form.requestSubmit();
}

document.addEventListener("keydown", (event) => {
  const field = event.target.closest?.(".entry-field");
  if (!field || event.isComposing || field.closest(".entries-past")) return;
  const step = { ArrowDown: 1, ArrowUp: -1, Enter: event.shiftKey ? -1 : 1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const next = neighbour(field, step);
  if (event.key === "Enter") save(field);
  next?.focus();
});

document.addEventListener("paste", (event) => {
  const field = event.target.closest?.(".entry-field");
  const lines = event.clipboardData.getData("text/plain").replace(/\r\n?/g, "\n").replace(/\n$/, "").split("\n");
  if (!field || lines.length < 2) return;
  event.preventDefault();
  const below = fields().slice(fields().indexOf(field));
  lines.slice(0, below.length).forEach((line, number) => { below[number].value = line.split("\t")[0].trim(); });
  below[Math.min(lines.length, below.length) - 1].focus();
  for (const filled of below.slice(0, lines.length)) save(filled);
});
