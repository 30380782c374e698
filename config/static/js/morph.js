// Makes a part of the page like a newer one by changing only what differs, so that everything else stays as the reader
// has it: scroll, focus, open details, what is half typed.
// heed: {before(current, newer), changed(element), added(element), isKept(element)}

const FIELDS = "input:not([type=hidden]), select, textarea";
const SAID = "[data-message], .strip[role=alert]"; // told once; a newer page does not tell it again
const OWN = new Set(["open", "data-changed"]);
const ROWS = new Set(["a", "li", "tr"]);

function isTouched(field) {
  if (field === document.activeElement) return true;
  if (field.matches("[type=checkbox], [type=radio]")) return field.checked !== field.defaultChecked;
  if (!field.matches("select")) return field.value !== field.defaultValue;
  if (field.multiple) return [...field.options].some((option) => option.selected !== option.defaultSelected);
  return field.selectedIndex !== Math.max(0, [...field.options].findLastIndex((option) => option.defaultSelected));
}

// Whether it has to stay although a newer page is without it: somebody is at it, or it was said to be read.
function isHeld(node) {
  if (node.nodeType !== Node.ELEMENT_NODE) return false;
  return node.contains(document.activeElement) || node.matches(SAID) || [node, ...node.querySelectorAll(FIELDS)].some((each) => each.matches(FIELDS) && isTouched(each));
}

// A row is the same row where it leads to the same place or has the same head, wherever it stands.
function keyOf(node) {
  if (node.nodeType !== Node.ELEMENT_NODE) return node.nodeName;
  if (node.id) return `#${node.id}`;
  if (!ROWS.has(node.localName)) return `${node.nodeName} ${node.getAttribute("aria-labelledby") ?? ""}`;
  const link = node.matches("a[href]") ? node : node.querySelector("a[href]");
  return `${node.nodeName} ${link?.getAttribute("href") ?? node.querySelector(":scope > th")?.textContent ?? ""}`;
}

const isSpace = (node) => node.nodeType === Node.TEXT_NODE && !node.nodeValue.trim();

function morphAttributes(current, newer) {
  for (const { name, value } of newer.attributes) {
    if (!OWN.has(name) && current.getAttribute(name) !== value) current.setAttribute(name, value);
  }
  for (const { name } of [...current.attributes]) {
    if (!OWN.has(name) && !newer.hasAttribute(name)) current.removeAttribute(name);
  }
}

function morphNode(current, newer, heed) {
  if (current.nodeType !== Node.ELEMENT_NODE) {
    if (current.nodeValue === newer.nodeValue) return;
    current.nodeValue = newer.nodeValue;
    heed.changed(current.parentElement);
    return;
  }
  if (heed.isKept(current) || current.localName === "canvas" || (current.matches(FIELDS) && isTouched(current))) return;
  heed.before(current, newer);
  morphAttributes(current, newer);
  morphChildren(current, newer, heed);
}

export function morphChildren(current, newer, heed) {
  const pool = new Map();
  const there = [...current.childNodes].filter((node) => !isSpace(node));
  for (const node of there) pool.set(keyOf(node), [...(pool.get(keyOf(node)) ?? []), node]);
  const pairs = [...newer.childNodes].filter((node) => !isSpace(node)).map((node) => [pool.get(keyOf(node))?.shift(), node]);
  for (const node of [...pool.values()].flat()) if (!isHeld(node)) node.remove();
  const paired = new Set(pairs.map(([node]) => node));
  let place = current.firstChild;
  for (const [found, wanted] of pairs) {
    while (place && !paired.has(place)) place = place.nextSibling;
    if (!found) {
      current.insertBefore(document.adoptNode(wanted), place);
      if (wanted.nodeType === Node.ELEMENT_NODE) heed.added(wanted);
      else heed.changed(current);
      continue;
    }
    if (found === place) place = place.nextSibling;
    else current.insertBefore(found, place);
    morphNode(found, wanted, heed);
  }
}
