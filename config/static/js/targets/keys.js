// Moving, selecting, typing, copying and pasting, as in a spreadsheet. One field serves every cell: it lies over the
// active one, so that what is typed, also with a Japanese input method, arrives somewhere.
const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

export class Keys {
  constructor(cells, { onPaste, onMove, onSave }) {
    Object.assign(this, { cells, onPaste, onMove, onSave });
    this.active = this.anchor = null;
    this.isEditing = false;
    this.field = document.createElement("input");
    this.field.className = "grid-field";
    this.field.autocomplete = "off";
    this.field.inputMode = "decimal";
    const { table } = cells;
    table.addEventListener("mousedown", (event) => this.point(event));
    table.addEventListener("mouseover", (event) => event.buttons === 1 && !this.isEditing && this.point(event, true));
    table.addEventListener("dblclick", () => this.edit());
    this.field.addEventListener("keydown", (event) => this.press(event));
    this.field.addEventListener("input", () => { this.isEditing = true; this.draw(); });
    this.field.addEventListener("compositionstart", () => { this.isEditing = true; this.draw(); });
    this.field.addEventListener("copy", (event) => this.copy(event));
    this.field.addEventListener("paste", (event) => this.paste(event));
    this.field.addEventListener("blur", () => this.commit());
    for (const row of cells.rows) for (const cell of row.targets) cell.tabIndex = -1;
    const first = cells.at(0, 0);
    first.tabIndex = 0;
    first.addEventListener("focus", () => !this.active && this.go(0, 0));
  }

  place(cell) {
    const row = this.cells.rows.indexOf(cell.parentElement);
    return row < 0 ? null : [row, this.cells.rows[row].targets.indexOf(cell)];
  }
  point(event, extends_ = event.shiftKey) {
    const cell = event.target.closest("td[data-start]");
    const place = cell && this.place(cell);
    if (!place || (event.target === this.field && this.isEditing)) return;
    event.preventDefault();
    this.commit();
    this.go(...place, extends_);
  }
  go(row, column, extend = false) {
    row = Math.min(Math.max(row, 0), this.cells.rows.length - 1);
    column = Math.min(Math.max(column, 0), this.cells.width - 1);
    this.active = [row, column];
    if (!extend) this.anchor = [row, column];
    const cell = this.cells.at(row, column);
    this.cells.at(0, 0).tabIndex = -1;
    cell.append(this.field);
    this.field.value = "";
    this.field.readOnly = !this.cells.isWritable(cell);
    this.field.setAttribute("aria-label", `${cell.parentElement.dataset.name} ${cell.dataset.start}`);
    this.field.focus({ preventScroll: true });
    cell.scrollIntoView({ block: "nearest", inline: "nearest" });
    this.draw();
    this.onMove(cell);
  }
  get area() {
    const [[a, b], [c, d]] = [this.anchor, this.active];
    return { top: Math.min(a, c), bottom: Math.max(a, c), left: Math.min(b, d), right: Math.max(b, d) };
  }
  selected() {
    const { top, bottom, left, right } = this.area;
    return this.cells.rows.slice(top, bottom + 1).map((row) => row.targets.slice(left, right + 1));
  }
  draw() {
    for (const cell of this.cells.table.querySelectorAll(".is-selected, .is-active")) cell.classList.remove("is-selected", "is-active");
    for (const cell of this.selected().flat()) cell.classList.add("is-selected");
    this.cells.at(...this.active).classList.add("is-active");
    this.field.classList.toggle("is-editing", this.isEditing);
  }

  edit() {
    if (!this.active || this.isEditing || this.field.readOnly) return;
    this.field.value = this.cells.editable(this.cells.at(...this.active));
    this.isEditing = true;
    this.draw();
  }
  commit() {
    if (!this.isEditing) return;
    const cell = this.cells.at(...this.active);
    const text = this.field.value;
    this.isEditing = false;
    this.field.value = "";
    this.cells.change([[cell, text]]);
    this.draw();
  }
  cancel() {
    this.isEditing = false;
    this.field.value = "";
    this.draw();
  }
  press(event) {
    if (event.isComposing) return;
    const [row, column] = this.active;
    const done = (action) => { event.preventDefault(); event.stopPropagation(); action(); };
    const modified = event.ctrlKey || event.metaKey;
    if (modified && event.key.toLowerCase() === "s") return done(() => { this.commit(); this.onSave(); });
    if (modified && event.key === "Enter") return done(() => { this.commit(); this.onSave(); });
    if (modified && event.key.toLowerCase() === "z" && !this.isEditing) return done(() => this.cells.undo());
    if (event.key === "Enter") return done(() => { this.commit(); this.go(row + (event.shiftKey ? -1 : 1), column); });
    if (event.key === "Tab") return this.tab(event);
    if (event.key === "Escape") return done(() => this.cancel());
    if (event.key === "F2") return done(() => this.edit());
    if (event.key in MOVES && (!this.isEditing || event.key === "ArrowUp" || event.key === "ArrowDown")) {
      const [down, right] = MOVES[event.key];
      const far = modified && !this.isEditing ? 10_000 : 1;
      return done(() => { this.commit(); this.go(row + down * far, column + right * far, event.shiftKey); });
    }
    if (this.isEditing) return undefined;
    if (event.key === "Home") return done(() => this.go(row, 0));
    if (event.key === "End") return done(() => this.go(row, this.cells.width - 1));
    if (event.key === "Delete" || event.key === "Backspace") {
      return done(() => this.cells.change(this.selected().flat().filter((cell) => this.cells.isWritable(cell)).map((cell) => [cell, ""])));
    }
    return undefined;
  }
  // Within the grid Tab goes on to the next cell; at its ends it leaves the grid.
  tab(event) {
    const step = event.shiftKey ? -1 : 1;
    const number = this.active[0] * this.cells.width + this.active[1] + step;
    this.commit();
    if (number < 0 || number >= this.cells.rows.length * this.cells.width) return;
    event.preventDefault();
    this.go(Math.floor(number / this.cells.width), number % this.cells.width);
  }

  copy(event) {
    if (this.isEditing) return;
    event.preventDefault();
    event.clipboardData.setData("text/plain", this.selected().map((row) => row.map((cell) => this.cells.copied(cell)).join("\t")).join("\n"));
  }
  paste(event) {
    if (this.isEditing) return;
    event.preventDefault();
    const text = event.clipboardData.getData("text/plain").replace(/\r\n?/g, "\n").replace(/\n$/, "");
    const lines = text.split("\n").map((line) => line.split("\t").map((part) => part.replace(/^"(.*)"$/s, "$1")));
    const { top, left, bottom, right } = this.area;
    const isOne = lines.length === 1 && lines[0].length === 1;
    const block = isOne ? Array.from({ length: bottom - top + 1 }, () => Array(right - left + 1).fill(lines[0][0])) : lines;
    const [entries, skipped, outside, emptied] = [[], [], [], []];
    block.forEach((line, down) => line.forEach((part, across) => {
      const cell = this.cells.at(top + down, left + across);
      if (!cell) outside.push(part);
      else if (!this.cells.isWritable(cell)) skipped.push(cell);
      else {
        entries.push([cell, part]);
        if (!part.trim() && this.cells.value(cell) !== "") emptied.push(cell);
      }
    }));
    this.cells.change(entries);
    this.anchor = [top, left];
    this.active = [Math.min(top + block.length - 1, this.cells.rows.length - 1), Math.min(left + block[0].length - 1, this.cells.width - 1)];
    this.draw();
    this.onPaste({ skipped: skipped.length, outside: outside.length, emptied: emptied.length });
  }
}
