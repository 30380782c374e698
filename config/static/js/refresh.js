// A page that is open follows its company's values: while it is looked at it asks every other second which version they
// have, and when that is another one it fetches itself anew and takes over what differs. See docs/decisions/0035.
import { morphChildren } from "./morph.js";
import { prepare, sortAlike } from "./sort.js";

const OFTEN = 2_000; // milliseconds
const SELDOM = 6_000; // where nothing has come, and nobody has done anything, for a while
const A_WHILE = 5 * 60_000;
const AWAY = 15_000; // where the server does not answer
const PATIENCE = 20_000;
const WORKED_OUT = 5_000; // after the values workers find out what follows from them: misses, which panels show
const SHOWN = 3_000; // how long a change is marked
const QUIET = 10_000; // between two things that are read aloud
const NUMBERS = ".num, .diff, .lead strong";

// Looked for each time: going back may put another body in place.
const note = () => document.querySelector("[data-refresh]");
const main = () => document.getElementById("content");
const loaded = new Map(); // place → address that htmx has filled it from; null: it holds the answer to something sent
let stirred = Date.now();
let again = 0;
let spoken = 0;
let timer;
let isLooking = false;
let hasEnded = false;

class SignedOutError extends Error {}

async function ask(address, headers = {}) {
  const answer = await fetch(address, { headers, cache: "no-store", redirect: "manual", signal: AbortSignal.timeout(PATIENCE) });
  if (answer.type === "opaqueredirect" || answer.status === 401 || answer.status === 403) throw new SignedOutError();
  if (!answer.ok && answer.status !== 304) throw new Error(`${answer.status}`);
  return answer;
}

// --- what is shown ---

function take(current, newer) {
  const marked = new Set();
  const focused = document.activeElement;
  prepare(newer);
  morphChildren(current, newer, {
    before: sortAlike,
    changed: (element) => marked.add(element.closest(NUMBERS)),
    added: (element) => {
      window.htmx?.process(element);
      for (const number of [element, ...element.querySelectorAll(NUMBERS)]) if (number.matches(NUMBERS)) marked.add(number);
    },
    isKept: (element) => loaded.has(element),
  });
  if (focused?.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true });
  marked.delete(null);
  return marked;
}

async function takeLoaded() {
  const marked = [];
  for (const [place, address] of loaded) {
    if (!main().contains(place)) loaded.delete(place);
    else if (address !== null) {
      const answer = await ask(address, { "HX-Request": "true", "HX-Target": place.id });
      const holder = document.createElement("template");
      holder.innerHTML = await answer.text();
      marked.push(...take(place, holder.content));
    }
  }
  return marked;
}

async function refresh() {
  const text = await (await ask(window.location.href)).text();
  const newer = new DOMParser().parseFromString(text, "text/html");
  const marked = [...take(main(), newer.getElementById("content")), ...(await takeLoaded())];
  note().dataset.version = newer.querySelector("[data-refresh]").dataset.version;
  document.dispatchEvent(new CustomEvent("page:refreshed"));
  mark(marked);
}

function mark(elements) {
  if (elements.length === 0) return;
  for (const element of elements) delete element.dataset.changed;
  void document.body.offsetWidth; // a mark that is set once more begins anew
  for (const element of elements) element.dataset.changed = "";
  setTimeout(() => elements.forEach((element) => delete element.dataset.changed), SHOWN);
  if (Date.now() - spoken < QUIET) return;
  spoken = Date.now();
  note().textContent = "";
  setTimeout(() => { note().textContent = note().dataset.said; }, 100);
}

// --- when to look ---

function plan(wait) {
  clearTimeout(timer);
  if (!document.hidden && !hasEnded) timer = setTimeout(look, wait);
}

async function look() {
  if (isLooking) return;
  isLooking = true;
  let wait = AWAY;
  try {
    const isNew = (await ask(note().dataset.refresh, { "If-None-Match": `"${note().dataset.version}"` })).status === 200;
    const isDue = again > 0 && Date.now() >= again;
    const began = performance.now();
    if (isNew || isDue) await refresh();
    if (isNew) {
      stirred = Date.now();
      again = "panels" in note().dataset ? stirred + WORKED_OUT : 0;
    } else if (isDue) again = 0;
    const pace = Date.now() - stirred < A_WHILE ? OFTEN : SELDOM;
    wait = Math.max(pace, performance.now() - began); // the slower the server, the less it is asked
  } catch (error) {
    if (error instanceof SignedOutError) end();
  } finally {
    isLooking = false;
  }
  plan(wait);
}

function end() {
  hasEnded = true;
  note().className = "strip strip-warn";
  note().textContent = note().dataset.ended;
  main().prepend(note());
}

for (const doing of ["pointerdown", "keydown"]) document.addEventListener(doing, () => { stirred = Date.now(); }, { passive: true });
document.addEventListener("visibilitychange", () => plan(0));
window.addEventListener("online", () => plan(0));
window.addEventListener("offline", () => clearTimeout(timer));
window.addEventListener("pageshow", (event) => { if (event.persisted) plan(0); });
window.addEventListener("pagehide", () => clearTimeout(timer));
document.addEventListener("htmx:afterSwap", (event) => {
  const { target, pathInfo, requestConfig } = event.detail;
  if (target.id && target !== main() && main().contains(target)) loaded.set(target, requestConfig.verb === "get" ? pathInfo.finalRequestPath : null);
});

plan(OFTEN);
