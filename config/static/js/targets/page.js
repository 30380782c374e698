// The target grid: keys, one save, proposals for a row, 当初 and 現行.
import { Cells } from "./cells.js";
import { Keys } from "./keys.js";
import { readNumber } from "./numbers.js";

const root = document.getElementById("target-grid");
if (root) {
  const words = JSON.parse(document.getElementById("target-words").textContent);
  const say = (word, values = {}) => Object.entries(values).reduce((text, [name, value]) => text.replace(`%(${name})s`, value), words[word]);
  const find = (selector) => root.querySelector(selector);
  const [state, faults, reason] = [".grid-state", ".grid-faults", ".grid-reason"].map(find);
  const [save, revert] = ["[data-save]", "[data-revert]"].map(find);
  let note = "";

  const cells = new Cells(root, words, () => show());
  const keys = new Keys(cells, {
    onMove: (cell) => {
      const row = find("[data-chosen-row]");
      if (row) row.textContent = cell.parentElement.dataset.name;
      showFaults(cell);
    },
    onPaste: ({ skipped, outside, emptied }) => {
      note = [emptied && say("emptied", { count: emptied }), skipped && say("skipped", { count: skipped }), outside && say("outside", { count: outside })].filter(Boolean).join(" · ");
      show();
    },
    onSave: () => send(),
  });

  function show() {
    if (!state) return;
    const [unsaved, faulty] = [cells.unsaved, cells.faulty];
    const removed = cells.removed.length;
    const parts = [unsaved.length && say("unsaved", { count: unsaved.length }), removed && say("removed", { count: removed }), faulty.length && say("faults", { count: faulty.length }), note];
    state.textContent = parts.filter(Boolean).join(" · ");
    save.disabled = !unsaved.length || faulty.length > 0;
    revert.disabled = !unsaved.length;
    showFaults();
  }
  function showFaults() {
    if (!faults) return;
    faults.replaceChildren(...cells.faulty.slice(0, 10).map((cell) => {
      const item = document.createElement("li");
      const head = cells.table.tHead.rows[0].cells[cell.cellIndex].firstElementChild.title;
      item.textContent = `${cell.parentElement.dataset.name} ${head}: ${cell.dataset.fault}`;
      return item;
    }));
  }

  async function post(url, body) {
    const token = JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];
    const response = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRFToken": token },
      body: JSON.stringify(body),
    });
    return [response.ok, await response.json()];
  }
  function place(row) {
    const member = row.dataset.member || null;
    return { node: row.dataset.node, line: root.dataset.line, dimension: member ? root.dataset.dimension : "company", member };
  }

  async function send() {
    const changed = cells.unsaved;
    if (!changed.length || cells.faulty.length || save.disabled) return;
    const { requestUrl, answers } = root.dataset;
    const isChange = changed.some((cell) => cell.dataset.value !== "");
    if (!("draft" in root.dataset) && !reason.value.trim() && (requestUrl || isChange)) {
      reason.setAttribute("aria-invalid", "true");
      state.textContent = words.reason;
      reason.focus();
      return;
    }
    reason.removeAttribute("aria-invalid");
    save.disabled = true;
    const records = changed.map((cell) => ({
      ...place(cell.parentElement),
      period_start: cell.dataset.start,
      value: cell.dataset.next || null,
      upper: cell.dataset.nextUpper || null,
      reason: reason.value.trim(),
      proration: cell.dataset.proration ? JSON.parse(cell.dataset.proration) : null,
    }));
    try {
      const body = requestUrl ? { records, reason: reason.value.trim(), answers: answers ?? null } : { records };
      const [ok, answer] = await post(requestUrl ?? root.dataset.bulkUrl, body);
      if (ok) {
        if (requestUrl) cells.requested(changed);
        else cells.saved(changed);
        delete root.dataset.answers;
        reason.value = "";
        note = say(requestUrl ? "requested" : "saved", { count: changed.length });
        document.body.dispatchEvent(new CustomEvent("targets-saved"));
      } else {
        for (const error of answer.errors ?? []) {
          const cell = changed[Number(error.field.split(".")[1])];
          if (cell) cells.fault(cell, error.message);
        }
        note = answer.errors?.length ? "" : answer.detail;
      }
    } catch {
      note = words.failed;
    }
    show();
    note = "";
  }

  async function propose(event) {
    event.preventDefault();
    const form = event.target;
    const said = form.querySelector(".grid-fill-state");
    if (!keys.active) {
      said.textContent = words.chooseRow;
      return;
    }
    const row = cells.rows[keys.active[0]];
    const { unit } = row.dataset;
    try {
      const typed = readNumber(form.elements.value.value, unit, root.dataset.scale, words);
      const body = { ...place(row), method: form.elements.method.value, value: typed || null, start: form.elements.start.value || null };
      body.receiver = form.elements.receiver?.value || null;
      if (unit === "amount" && root.dataset.currency === "JPY") body.step = { one: 1, thousand: 1000, million: 1000 }[root.dataset.scale];
      else if (unit !== "count") body.step = 0.01;
      const [ok, answer] = await post(root.dataset.proposalUrl, body);
      if (!ok) {
        said.textContent = answer.errors?.[0]?.message ?? answer.detail;
        return;
      }
      const changed = answer.targets.filter((target) => target.is_changed);
      const entries = changed.map((target) => [cellOf(row, target), plain(target.value), undefined, target.proration]).filter(([cell]) => cell);
      cells.propose(entries);
      const rest = answer.remainder ? ` ${say("remainder", { value: cells.write(answer.remainder, unit) })}` : "";
      said.textContent = entries.length ? say("proposed", { count: entries.length }) + rest : words.nothingNew;
    } catch (error) {
      said.textContent = error.message;
    }
  }
  function cellOf(row, target) {
    const member = target.member ?? "";
    const found = cells.rows.find((each) => each.dataset.node === row.dataset.node && each.dataset.member === member);
    const cell = found?.targets.find((each) => each.dataset.start === target.period_start);
    return cell && cells.isWritable(cell) ? cell : null;
  }
  // A JSON number as exact text, never with an exponent.
  function plain(value) {
    const text = String(value);
    return text.includes("e") ? value.toFixed(8).replace(/\.?0+$/, "") : text;
  }

  // What came back is filled in again, to be changed and proposed anew.
  function refill() {
    const found = document.getElementById("target-answered");
    if (!found) return;
    const answered = JSON.parse(found.textContent);
    const entries = answered.cells.map((each) => {
      const row = cells.rows.find((one) => one.dataset.node === each.node && one.dataset.member === each.member);
      return [row?.targets.find((cell) => cell.dataset.start === each.period_start), each.value, each.upper, each.proration];
    });
    cells.propose(entries.filter(([cell]) => cell && cells.isWritable(cell)));
    reason.value = answered.reason;
  }

  for (const button of root.parentElement.querySelectorAll("[data-versions] button")) {
    button.addEventListener("click", () => {
      cells.table.dataset.version = button.dataset.version;
      for (const other of button.parentElement.children) other.setAttribute("aria-pressed", String(other === button));
    });
  }
  save?.addEventListener("click", send);
  revert?.addEventListener("click", () => cells.revert());
  find("[data-proposal]")?.addEventListener("submit", propose);
  window.addEventListener("beforeunload", (event) => cells.unsaved.length && event.preventDefault());
  cells.refresh();
  refill();

  // Closed periods are rarely what one comes for: begin at the first open one.
  const open = cells.rows[0].targets.find((cell) => cells.isWritable(cell));
  const scroll = cells.table.parentElement;
  if (open) scroll.scrollLeft = open.offsetLeft - cells.rows[0].cells[0].offsetWidth - open.offsetWidth;
}
