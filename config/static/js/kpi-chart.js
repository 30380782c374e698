// Draws <figure data-chart> from the JSON beside it. Colours come from the CSS variables, so dark mode holds.
// {labels, unit, open: index|null, actual: [n|null], target: [n|null], before: [n|null]|null,
//  landing: {value, low, high}|null, names: {actual, target, landing, before}, texts, notes}
const drawn = new Map();
const read = new WeakMap(); // canvas → the JSON it was drawn from

function colour(name) {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`; // light-dark() resolves only as a real property
  document.body.append(probe);
  const resolved = getComputedStyle(probe).color;
  probe.remove();
  return resolved;
}

function axisText(value, unit) {
  const language = document.documentElement.lang;
  if (unit === "percent") return new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 0 }).format(value);
  return new Intl.NumberFormat(language, { notation: "compact", maximumFractionDigits: 1 }).format(value);
}

// Where the last period will end: a mark, and from the lowest to the highest view a thin floating bar behind it.
function landingSets(data, line) {
  if (!data.landing) return [];
  const last = (value) => data.labels.map((_, index) => (index === data.labels.length - 1 ? value : null));
  const { value, low, high } = data.landing;
  const mark = {
    ...line, label: data.names.landing, data: last(value), order: 0, showLine: false, pointStyle: "crossRot",
    pointRadius: 6, pointBorderWidth: 2, borderColor: colour("--ink"), backgroundColor: colour("--ink"),
  };
  if (low === null) return [mark];
  const band = { type: "bar", label: "", data: last([low, high]), order: 1, grouped: false, maxBarThickness: 10, borderRadius: 2, backgroundColor: colour("--line-strong") };
  return [mark, band];
}

function datasets(data) {
  const line = { type: "line", pointRadius: 0, pointHitRadius: 12, borderWidth: 1.5, fill: false };
  return [
    { ...line, label: data.names.target, data: data.target, stepped: "middle", borderDash: [5, 4], borderColor: colour("--chart-target"), order: 1 },
    {
      type: "bar", label: data.names.actual, data: data.actual, order: 2, maxBarThickness: 36, borderRadius: 2,
      backgroundColor: data.actual.map((_, index) => colour(index === data.open ? "--chart-actual-soft" : "--chart-actual")),
    },
    ...beforeSets(data, line),
    ...landingSets(data, line),
    absentSet(data, line),
  ];
}

// The same periods of the year before: a thin quiet line over the bars, and a dot where one stands between gaps.
function beforeSets(data, line) {
  if (!data.before) return [];
  const missing = (index) => (data.before[index] ?? null) === null;
  const pointRadius = data.before.map((_, index) => (missing(index - 1) && missing(index + 1) ? 2 : 0));
  const shade = colour("--chart-before");
  return [{ ...line, label: data.names.before, data: data.before, pointRadius, borderWidth: 1.5, borderColor: shade, backgroundColor: shade, order: 1 }];
}

// Where there is no actual the tooltip says why: an unseen point that only the pointer finds, and its text is a word.
function absentSet(data, line) {
  const unseen = data.actual.map((value) => (value === null ? 0 : null));
  return { ...line, label: data.names.actual, data: unseen, order: 3, showLine: false, pointHoverRadius: 0 };
}

function options(data) {
  const ink = colour("--ink-soft");
  const font = { family: getComputedStyle(document.body).fontFamily, size: 11 };
  const tooltip = {
    backgroundColor: colour("--surface"), titleColor: colour("--ink"), bodyColor: colour("--ink"), footerColor: ink,
    filter: (item) => item.dataset.label !== "",
    borderColor: colour("--line-strong"), borderWidth: 1, padding: 10, titleFont: font, bodyFont: font, footerFont: { ...font, weight: "normal" },
    callbacks: {
      label: (item) => ` ${item.dataset.label} ${data.texts?.[item.dataset.label]?.[item.dataIndex] ?? axisText(item.raw, data.unit)}`,
      footer: (items) => data.notes?.[items[0].dataIndex] ?? "",
    },
  };
  return {
    responsive: true, maintainAspectRatio: false, animation: false, interaction: { mode: "index", intersect: false },
    plugins: { legend: { display: false }, tooltip },
    scales: {
      x: { grid: { display: false }, border: { color: colour("--line-strong") }, ticks: { color: ink, font, maxRotation: 0, autoSkipPadding: 12 } },
      y: {
        beginAtZero: true, border: { display: false }, grid: { color: colour("--chart-grid") },
        ticks: { color: ink, font, maxTicksLimit: 6, callback: (value) => axisText(value, data.unit) },
      },
    },
  };
}

const textOf = (figure) => figure.querySelector("script[type='application/json']").textContent;

function draw(figure) {
  const data = JSON.parse(textOf(figure));
  const canvas = figure.querySelector("canvas");
  read.set(canvas, textOf(figure));
  drawn.get(canvas)?.destroy();
  drawn.set(canvas, new window.Chart(canvas, { data: { labels: data.labels, datasets: datasets(data) }, options: options(data) }));
}

function drawAll(root) {
  for (const figure of root.querySelectorAll("[data-chart]")) draw(figure);
}

function redraw() {
  for (const canvas of drawn.keys()) {
    if (canvas.isConnected) draw(canvas.closest("[data-chart]"));
    else drawn.delete(canvas);
  }
}

drawAll(document);
document.addEventListener("htmx:load", (event) => drawAll(event.target));
document.addEventListener("page:refreshed", () => {
  for (const figure of document.querySelectorAll("[data-chart]")) if (read.get(figure.querySelector("canvas")) !== textOf(figure)) draw(figure);
});
document.addEventListener("theme:changed", redraw);
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
