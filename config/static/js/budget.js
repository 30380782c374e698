// A year is wider than the window: begin where it runs, with the last actual months in sight.
const scroll = document.querySelector(".grid-scroll");
const running = scroll?.querySelector("thead .is-running:not(.is-total), thead .is-border");
if (running) {
  const name = scroll.querySelector(".grid-name").offsetWidth;
  scroll.scrollLeft = Math.max(0, running.offsetLeft + running.offsetWidth - scroll.clientWidth + (scroll.clientWidth - name) / 4);
}
