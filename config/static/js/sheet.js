// <a data-sheet href="…"> loads that page into the sheet; without JavaScript it is an ordinary link.
// The server closes it with the response header HX-Trigger: sheet:close.
const sheet = document.getElementById("sheet");
const body = document.getElementById("sheet-body");

function close() {
  if (sheet?.open) sheet.close();
}

document.addEventListener("click", (event) => {
  if (event.target === sheet || event.target.closest("[data-sheet-close]")) {
    close();
    return;
  }
  const link = event.target.closest("a[data-sheet]");
  if (!link || !sheet || !window.htmx || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  window.htmx.ajax("GET", link.href, { target: body, swap: "innerHTML" });
});

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target !== body) return;
  if (!sheet.open) sheet.showModal();
  body.querySelector("[autofocus], input:not([type=hidden]), select, textarea")?.focus();
});

document.addEventListener("sheet:close", close);

for (const failure of ["htmx:sendError", "htmx:responseError"]) {
  document.addEventListener(failure, () => {
    const strip = document.createElement("p");
    strip.className = "strip strip-bad";
    strip.setAttribute("role", "alert");
    strip.textContent = document.body.dataset.failed;
    const place = sheet?.open ? body : document.getElementById("content");
    place.querySelector(":scope > .strip[role=alert]")?.remove();
    place.prepend(strip);
  });
}
