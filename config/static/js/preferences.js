// Theme and unit of amounts live in cookies, so that the server renders them and nothing flickers.
const YEAR = 60 * 60 * 24 * 365;

function remember(name, value) {
  document.cookie = `${name}=${value}; path=/; max-age=${value ? YEAR : 0}; samesite=lax`;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-preference] button");
  if (!button) return;
  const group = button.closest("[data-preference]");
  const { preference } = group.dataset;
  const { value } = button.dataset;
  remember(preference, value);
  if (preference !== "theme") {
    window.location.reload();
    return;
  }
  for (const other of group.querySelectorAll("button")) other.setAttribute("aria-pressed", String(other === button));
  if (value) document.documentElement.dataset.theme = value;
  else delete document.documentElement.dataset.theme;
  document.dispatchEvent(new CustomEvent("theme:changed"));
});
