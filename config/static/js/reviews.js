// Suggestions fill their field, the meeting's clock runs, the printable page prints.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-fill]");
  if (button) {
    const field = document.getElementById(button.dataset.fill);
    field.value = field.value.trim() ? `${field.value.trim()}\n${button.textContent}` : button.textContent;
    field.focus();
  }
  if (event.target.closest("[data-print]")) window.print();
});

const clock = document.querySelector("[data-since]");
if (clock) {
  const since = new Date(clock.dataset.since);
  const show = () => {
    const seconds = Math.max(0, Math.floor((Date.now() - since) / 1000));
    clock.textContent = [Math.floor(seconds / 60), seconds % 60].map((part) => String(part).padStart(2, "0")).join(":");
  };
  show();
  setInterval(show, 1000);
}
