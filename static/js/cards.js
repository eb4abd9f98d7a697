// A hit as a row of the list and as the opened card. Text goes in as text nodes only.

const VARIABLE = /\{([^{}\n]{1,40})\}/g;
const filled = new Map(); // What was typed into a variable stays for the next script that has it.

export function row(hit, at, words) {
  const item = document.getElementById("row").content.firstElementChild.cloneNode(true);
  item.id = `hit-${at}`;
  item.dataset.at = at;
  item.setAttribute("aria-selected", "false");
  badge(item.querySelector(".badge"), hit, words);
  item.querySelector(".title").textContent = hit.section && hit.section !== hit.title ? `${hit.title} › ${hit.section}` : hit.title;
  item.querySelector(".lock").hidden = hit.audience !== "internal" || hit.kind === "ticket";
  sure(item.querySelector(".sure"), hit, words);
  item.querySelector(".line").append(marked(hit.answer, hit.highlights));
  return item;
}

export function card(hit, words, actions) {
  const view = document.getElementById("card").content.cloneNode(true);
  const find = (selector) => view.querySelector(selector);
  badge(find(".badge"), hit, words);
  find("h2").textContent = hit.title;
  find(".meta").append(...meta(hit, words));
  find(".answer").append(marked(hit.answer, hit.highlights));
  find(".copy-answer").addEventListener("click", () => actions.copy(hit.answer, hit));
  Object.assign(find(".open"), { href: hit.url, target: "_blank", rel: "noopener" });
  find(".open").addEventListener("click", () => actions.report("opened"));
  find(".helpful").addEventListener("click", () => actions.report("helpful"));
  find(".wrong").addEventListener("click", () => actions.report("not_helpful"));
  find(".why dl").append(...why(hit, words));
  if (hit.script) script(find(".send"), hit, words, actions);
  if (hit.kind === "script") for (const own of [".answer", ".copy-answer"]) find(own).hidden = true;
  return view;
}

function script(section, hit, words, actions) {
  const texts = { general: hit.script.text, ...hit.script.variants };
  const view = { channel: "general" };
  const body = section.querySelector(".said");
  const fields = section.querySelector(".fields");
  section.hidden = false;
  const draw = () => body.replaceChildren(...blanks(texts[view.channel]));
  const pick = (channel) => {
    view.channel = channel;
    for (const chip of section.querySelectorAll(".channels button")) chip.setAttribute("aria-pressed", String(chip.dataset.channel === channel));
    fields.replaceChildren(...names(texts[channel]).map((name) => field(name, draw)));
    draw();
  };
  section.querySelector(".channels").append(...Object.keys(texts).map((channel) => chip(channel, words, pick)));
  section.querySelector(".copy-script").addEventListener("click", () => {
    const empty = [...fields.querySelectorAll("input")].find((input) => !input.value.trim());
    if (empty) { empty.placeholder = words.fill; empty.focus(); return; }
    actions.copy(body.textContent, hit);
  });
  pick("general");
}

function chip(channel, words, pick) {
  const button = Object.assign(document.createElement("button"), { type: "button", className: "chip", textContent: words[channel] ?? channel });
  button.dataset.channel = channel;
  button.addEventListener("click", () => pick(channel));
  return button;
}

function field(name, draw) {
  const label = document.createElement("label");
  const input = Object.assign(document.createElement("input"), { value: filled.get(name) ?? "", autocomplete: "off" });
  input.addEventListener("input", () => { filled.set(name, input.value); draw(); });
  label.append(name, input);
  return label;
}

const names = (text) => [...new Set([...text.matchAll(VARIABLE)].map((match) => match[1]))];

function blanks(text) {
  const parts = [];
  let at = 0;
  for (const match of text.matchAll(VARIABLE)) {
    const value = (filled.get(match[1]) ?? "").trim();
    const blank = Object.assign(document.createElement("span"), { className: value ? "" : "blank", textContent: value || match[0] });
    parts.push(text.slice(at, match.index), blank);
    at = match.index + match[0].length;
  }
  return [...parts, text.slice(at)];
}

// Offsets count characters as Python does: code points, not UTF-16 units.
function marked(text, spans) {
  const characters = [...text];
  const piece = document.createDocumentFragment();
  let at = 0;
  for (const [start, end] of spans) {
    const mark = document.createElement("mark");
    mark.textContent = characters.slice(start, end).join("");
    piece.append(characters.slice(at, start).join(""), mark);
    at = end;
  }
  piece.append(characters.slice(at).join(""));
  return piece;
}

function badge(element, hit, words) {
  element.classList.add(hit.kind);
  element.textContent = words[hit.kind];
}

function sure(element, hit, words) {
  element.textContent = hit.below_threshold ? words.unsure : hit.confidence >= 0.6 ? words.sure : words.maybe;
  element.title = `${words.confidence} ${Math.round(hit.confidence * 100)}%`;
}

function meta(hit, words) {
  const used = hit.evidence?.used ? `${words.used} ${hit.evidence.used} ${words.times}` : "";
  return [
    hit.section,
    hit.audience === "internal" && hit.kind !== "ticket" ? words.internal : "",
    hit.updated_at ? `${words.updated} ${hit.updated_at.slice(0, 10)}` : "",
    hit.valid_until ? `${words.until} ${hit.valid_until.slice(0, 10)}` : "",
    used,
  ].filter(Boolean).map((text) => Object.assign(document.createElement("span"), { textContent: text }));
}

function why(hit, words) {
  const { terms, synonyms, corrected, matched_question: question, lexical_rank: byWords, semantic_rank: byMeaning } = hit.why;
  const lines = [
    [words.corrected, corrected ?? ""],
    [words.terms, terms.join(" ")],
    [words.synonyms, synonyms.map(([asked, found]) => `${asked} → ${found}`).join("　")],
    [words.question, question ?? ""],
    [words.ranks, `${words.byWords} ${byWords ?? "–"}　${words.byMeaning} ${byMeaning ?? "–"}`],
    [words.confidence, `${Math.round(hit.confidence * 100)}%`],
  ];
  return lines.filter(([, text]) => text).flatMap(([name, text]) => [
    Object.assign(document.createElement("dt"), { textContent: name }),
    Object.assign(document.createElement("dd"), { textContent: text }),
  ]);
}
