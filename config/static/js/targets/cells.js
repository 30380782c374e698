// The cells of the grid: what is saved, what is typed, what is wrong, and the sums that follow from it.
import { TypedError, editText, readNumber, writeNumber } from "./numbers.js";

const KEPT = ["next", "nextUpper", "typed", "proration"];
const BETWEEN = /[〜～~]/;

export class Cells {
  constructor(root, words, onChange) {
    this.root = root;
    this.table = root.querySelector("table");
    this.words = words;
    this.onChange = onChange;
    this.rows = [...this.table.tBodies[0].rows];
    this.undone = [];
    for (const row of this.rows) row.targets = [...row.querySelectorAll("td[data-start]")];
  }

  get width() { return this.rows[0].targets.length; }
  at(row, column) { return this.rows[row]?.targets[column]; }
  isWritable(cell) { return cell.getAttribute("aria-readonly") !== "true"; }
  unitOf(cell) { return cell.parentElement.dataset.unit; }
  isRange(cell) { return "range" in cell.parentElement.dataset; }
  value(cell) { return cell.dataset.next ?? cell.dataset.value; }
  upper(cell) { return cell.dataset.nextUpper ?? cell.dataset.upper ?? ""; }

  get unsaved() { return [...this.table.querySelectorAll("td[data-next]")]; }
  get removed() { return this.unsaved.filter((cell) => this.isRemoval(cell)); }
  isRemoval(cell) { return cell.dataset.next === "" && cell.dataset.value !== "" && !cell.dataset.fault; }

  get faulty() { return [...this.table.querySelectorAll("td[aria-invalid]")]; }

  write(value, unit) { return writeNumber(value, unit, this.root.dataset.scale, this.root.dataset.currency); }
  shown(cell) {
    const unit = this.unitOf(cell);
    if (cell.dataset.typed !== undefined) return cell.dataset.typed;
    const text = this.write(this.value(cell), unit);
    return text && this.isRange(cell) ? `${text}〜${this.write(this.upper(cell), unit)}` : text;
  }
  // What copying takes along: rates keep their sign, so that pasting them elsewhere means the same.
  copied(cell) {
    const text = this.shown(cell);
    return text && this.unitOf(cell) === "percent" && !text.includes("%") ? `${text}%` : text;
  }
  editable(cell) {
    if (cell.dataset.typed !== undefined) return cell.dataset.typed;
    const text = (value) => editText(value, this.unitOf(cell), this.root.dataset.scale);
    return this.isRange(cell) && this.value(cell) ? `${text(this.value(cell))}〜${text(this.upper(cell))}` : text(this.value(cell));
  }

  // Several cells at once are one step back.
  change(entries) {
    this.undone.push(entries.map(([cell]) => [cell, { ...cell.dataset }]));
    for (const [cell, text] of entries) this.type(cell, text);
    this.refresh();
  }
  type(cell, text) {
    const read = (part) => readNumber(part, this.unitOf(cell), this.root.dataset.scale, this.words);
    try {
      const parts = this.isRange(cell) && text.trim() ? text.split(BETWEEN) : [text];
      if (this.isRange(cell) && text.trim() && parts.length !== 2) throw new TypedError(this.words.range);
      const [value, upper = ""] = parts.map(read);
      this.set(cell, value, upper);
    } catch (error) {
      if (!(error instanceof TypedError)) throw error;
      cell.dataset.next = "";
      cell.dataset.typed = text;
      this.fault(cell, error.message);
    }
  }
  // `proration` says that the value is a share of another, which is news even where the value stays.
  set(cell, value, upper = "", proration = null) {
    this.clear(cell);
    if (!proration && value === cell.dataset.value && (!this.isRange(cell) || upper === cell.dataset.upper)) return;
    if (proration) cell.dataset.proration = JSON.stringify(proration);
    cell.dataset.next = value;
    if (this.isRange(cell)) cell.dataset.nextUpper = upper;
  }
  propose(entries) {
    this.undone.push(entries.map(([cell]) => [cell, { ...cell.dataset }]));
    for (const [cell, value, upper, proration] of entries) this.set(cell, value, upper ?? this.upper(cell), proration);
    this.refresh();
  }
  clear(cell) {
    for (const name of KEPT) delete cell.dataset[name];
    cell.removeAttribute("aria-invalid");
    delete cell.dataset.fault;
  }
  fault(cell, message) {
    cell.setAttribute("aria-invalid", "true");
    cell.dataset.fault = message;
  }
  undo() {
    for (const [cell, before] of this.undone.pop() ?? []) {
      this.clear(cell);
      for (const name of KEPT) if (before[name] !== undefined) cell.dataset[name] = before[name];
      if (before.fault) this.fault(cell, before.fault);
    }
    this.refresh();
  }
  revert() {
    for (const cell of this.unsaved) this.clear(cell);
    this.undone = [];
    this.refresh();
  }
  saved(cells) {
    for (const cell of cells) {
      cell.dataset.value = cell.dataset.next;
      if (this.isRange(cell)) cell.dataset.upper = cell.dataset.nextUpper;
      if (!cell.dataset.initial || "draft" in this.root.dataset) {
        cell.dataset.initial = cell.dataset.value;
        cell.querySelector(".initial").textContent = this.write(cell.dataset.value, this.unitOf(cell));
      }
      this.clear(cell);
    }
    this.undone = [];
    this.refresh();
  }

  // What waits for approval: the target in force stays.
  requested(cells) {
    for (const cell of cells) {
      cell.dataset.proposed = cell.dataset.next;
      this.clear(cell);
    }
    this.undone = [];
    this.refresh();
  }

  refresh() {
    for (const cell of this.table.querySelectorAll("td[data-proposed]")) {
      cell.title = this.words.waiting.replace("%(value)s", this.write(cell.dataset.proposed, this.unitOf(cell)) || this.words.noTarget);
    }
    for (const row of this.rows) {
      for (const cell of row.targets) {
        cell.querySelector(".now").textContent = this.isRemoval(cell) ? this.words.noTarget : this.shown(cell);
        cell.classList.toggle("is-removed", this.isRemoval(cell));
        cell.classList.toggle("is-revised", cell.dataset.initial !== "" && cell.dataset.initial !== this.value(cell));
      }
      this.total(row);
    }
    this.check();
    this.onChange();
  }
  total(row) {
    const values = row.targets.map((cell) => this.value(cell));
    row.querySelector(".grid-total .now").textContent = values.includes("") ? "" : this.write(this.whole(values, row.dataset.accumulation), row.dataset.unit);
  }
  whole(values, accumulation) {
    if (accumulation === "sum") return values.reduce((sum, value) => sum + Number(value), 0);
    if (accumulation === "stock") return values.at(-1);
    return new Set(values).size === 1 ? values[0] : "";
  }
  // The row of sums, the target above, and what nobody has taken on.
  check() {
    const line = (name) => this.table.querySelector(`[data-check=${name}]`);
    if (!line("gap")) return;
    const unit = this.rows[0].dataset.unit;
    const roots = this.rows.filter((row) => row.dataset.depth === "0");
    const totals = { parts: 0, top: 0, gap: 0 };
    for (let column = 0; column < this.width; column += 1) {
      const given = roots.map((row) => this.value(row.targets[column])).filter((value) => value !== "");
      const parts = given.reduce((sum, value) => sum + Number(value), 0);
      const top = line("top").cells[column + 1].dataset.value;
      const gap = top === "" || !given.length ? "" : Number(top) - parts;
      line("parts").cells[column + 1].textContent = given.length ? this.write(parts, unit) : "";
      const cell = line("gap").cells[column + 1];
      cell.textContent = this.write(gap, unit);
      cell.classList.toggle("is-gap", gap !== "" && Math.abs(gap) > 1e-6);
      for (const [name, value] of Object.entries({ parts, top, gap })) totals[name] += Number(value);
    }
    for (const name of Object.keys(totals)) line(name).cells[this.width + 1].textContent = this.write(totals[name], unit);
  }
}
