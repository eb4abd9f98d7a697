// The desk: what is typed becomes a question 100 ms after the last key; the newest question wins.

import { ask, tell, Failure } from "./api.js";
import { row, card } from "./cards.js";

const PAUSE = 100;
const SETTLED = 1500;
const words = JSON.parse(document.getElementById("words").textContent);
const page = Object.fromEntries(
  ["query", "desk", "results", "detail", "notice", "toast", "verdict"].map((id) => [id, document.getElementById(id)]),
);
const state = { hits: [], at: -1, queryId: "", kind: "", asked: 0, shown: 0, abort: null, pause: 0, settled: 0, retry: 0 };

// While an input method composes, nothing is asked and no key acts: the text is not yet what is meant.
const composing = (event) => event.isComposing || event.keyCode === 229;

page.query.addEventListener("input", (event) => { if (!event.isComposing) soon(); });
page.query.addEventListener("compositionend", soon);
page.query.addEventListener("keydown", (event) => { if (!composing(event)) onKey(event); });
document.addEventListener("keydown", (event) => {
  if (composing(event) || event.key !== "/" || event.target.closest("input, textarea")) return;
  event.preventDefault();
  page.query.focus();
});
page.results.addEventListener("mousedown", (event) => event.preventDefault());
page.results.addEventListener("click", (event) => {
  const found = event.target.closest("[role=option]");
  if (found) choose(Number(found.dataset.at));
});
for (const chip of document.querySelectorAll("[data-kind]")) chip.addEventListener("click", () => narrow(chip));
for (const chip of document.querySelectorAll("[data-sample]")) {
  chip.addEventListener("click", () => { page.query.value = chip.dataset.sample; page.query.focus(); search("final"); });
}
window.addEventListener("online", () => search("typing"));
// What was typed before this file was loaded, or kept by the browser on the way back, is asked too.
if (page.query.value) soon();

function soon() {
  clearTimeout(state.pause);
  clearTimeout(state.settled);
  state.pause = setTimeout(() => search("typing"), PAUSE);
  // A question that stands for a while is finished: it goes into the log that editors learn from.
  state.settled = setTimeout(() => search("final"), SETTLED);
}

async function search(mode) {
  const query = page.query.value.trim();
  clearTimeout(state.retry);
  state.abort?.abort();
  if (!query) return clear();
  const mine = ++state.asked;
  state.abort = new AbortController();
  try {
    const answer = await ask({ query, mode, kinds: state.kind ? [state.kind] : [] }, state.abort.signal);
    if (mine > state.shown && mine === state.asked) show(answer, mine);
  } catch (error) {
    if (error.name !== "AbortError" && mine === state.asked) complain(error);
  }
}

function show(answer, mine) {
  const kept = state.hits[state.at]?.id;
  state.shown = mine;
  state.hits = answer.hits;
  state.queryId = answer.query_id;
  notice(answer.degraded.length ? words.degraded : "");
  page.desk.dataset.empty = "false";
  page.verdict.textContent = answer.hits.length ? words[answer.decision] ?? words.candidates : words.nothing;
  page.results.replaceChildren(...answer.hits.map((hit, at) => row(hit, at, words)));
  page.query.setAttribute("aria-expanded", String(answer.hits.length > 0));
  const again = answer.hits.findIndex((hit) => hit.id === kept);
  choose(Math.max(again, 0), again >= 0);
}

function choose(at, same = false) {
  const hit = state.hits[at];
  state.at = hit ? at : -1;
  page.detail.hidden = !hit;
  page.query.toggleAttribute("aria-activedescendant", false);
  for (const option of page.results.children) option.setAttribute("aria-selected", String(option.dataset.at === String(at)));
  if (!hit) return;
  page.query.setAttribute("aria-activedescendant", `hit-${at}`);
  page.results.children[at].scrollIntoView({ block: "nearest" });
  // The same document stays as it is, with what was filled into its fields.
  if (same && page.detail.dataset.id === hit.id && page.detail.dataset.answer === hit.answer) return;
  page.detail.dataset.id = hit.id;
  page.detail.dataset.answer = hit.answer;
  page.detail.replaceChildren(card(hit, words, { copy, report: (event) => report(hit, event, true) }));
  page.detail.scrollTop = 0;
}

function onKey(event) {
  const last = state.hits.length - 1;
  if (event.key === "ArrowDown" && last >= 0) choose(Math.min(state.at + 1, last));
  else if (event.key === "ArrowUp" && last >= 0) choose(Math.max(state.at - 1, 0));
  else if (event.key === "Enter" && state.at >= 0) take(event.ctrlKey || event.metaKey);
  else if (event.key === "Enter") search("final");
  else if (event.key === "Escape" && page.query.value) { page.query.value = ""; clear(); }
  else return;
  event.preventDefault();
}

function take(open) {
  const hit = state.hits[state.at];
  if (open) { report(hit, "opened"); window.open(hit.url, "_blank", "noopener"); return; }
  (page.detail.querySelector(".send:not([hidden]) .copy-script") ?? page.detail.querySelector(".copy-answer")).click();
}

async function copy(text, hit) {
  try {
    await navigator.clipboard.writeText(text);
    toast(words.copied);
    report(hit, "copied");
  } catch {
    toast(words.noCopy);
  }
}

function report(hit, event, thanks = false) {
  tell({ query_id: state.queryId, hit_id: hit.id, event }).then(() => thanks && toast(words.thanks), complain);
}

function narrow(chip) {
  state.kind = chip.dataset.kind;
  for (const other of document.querySelectorAll("[data-kind]")) other.setAttribute("aria-pressed", String(other === chip));
  search("typing");
  page.query.focus();
}

function clear() {
  clearTimeout(state.pause);
  clearTimeout(state.settled);
  state.abort?.abort();
  state.asked += 1;
  state.hits = [];
  page.results.replaceChildren();
  page.verdict.textContent = "";
  page.query.setAttribute("aria-expanded", "false");
  page.desk.dataset.empty = "true";
  choose(-1);
  notice("");
}

function complain(error) {
  if (!(error instanceof Failure)) {
    notice(words.offline);
    state.retry = setTimeout(() => search("typing"), 2000);
  } else if (error.status === 401 || error.status === 403) {
    notice(words.signIn, { href: "/sign-in", text: words.signInLink });
  } else if (error.status === 429) {
    notice(words.tooFast);
  } else {
    notice(`${error.message} ${error.hint} ${words.failed} ${error.requestId}`);
  }
}

function notice(text, link) {
  page.notice.hidden = !text;
  page.notice.textContent = text ? `${text} ` : "";
  if (!text || !link) return;
  const anchor = document.createElement("a");
  Object.assign(anchor, { href: link.href, textContent: link.text, target: "_blank" });
  page.notice.append(anchor);
}

function toast(text) {
  page.toast.textContent = text;
  page.toast.classList.add("on");
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => page.toast.classList.remove("on"), 1600);
}
