// Of the numbers that templates ask for, only those of the chosen one are shown; without JavaScript all are.
const choice = document.querySelector("select[name=template]");

function show() {
  for (const group of document.querySelectorAll("[data-template]")) group.hidden = group.dataset.template !== choice.value;
}

choice?.addEventListener("change", show);
if (choice) show();
