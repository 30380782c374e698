// A typed value is shown only where one is to be typed.
function follow(group) {
  const select = group.querySelector("select");
  const typed = group.querySelector("[data-typed]");
  const show = () => {
    typed.hidden = select.value !== "typed";
  };
  select.addEventListener("change", () => {
    show();
    if (!typed.hidden) typed.querySelector("input").focus();
  });
  show();
}

for (const group of document.querySelectorAll("[data-typed-source]")) follow(group);
