// The server's page. Whatever the server says is shown as text, never as HTML.
"use strict";

const WORDS = {
  en: {
    title: "Carousel: live streams", addresses: "Addresses", other: "한국어", streams: "open streams", rate: "steps/s",
    p50: "p50, ms", p99: "p99, ms", waiting: "steps waiting", batch: "streams in a batch", busy: "computing, of one core",
    unsaved: "steps not saved", refused: "refused", load: "steps/s, the last two minutes", latency: "answer time, ms: p50, p99",
    sizes: "batches by streams in them", stream: "stream", steps: "steps", saved: "saved", idle: "idle, s",
    latest: "streams that stepped last", none: "no stream is open", gone: "the server does not answer", draining: "the server is ending",
  },
  ko: {
    title: "Carousel: 실시간 스트림", addresses: "주소", other: "English", streams: "열린 스트림", rate: "초당 스텝",
    p50: "p50(ms)", p99: "p99(ms)", waiting: "기다리는 스텝", batch: "배치당 스트림", busy: "계산 시간(코어 하나 대비)",
    unsaved: "저장 안 된 스텝", refused: "거절", load: "최근 2분의 초당 스텝", latency: "응답 시간(ms): p50, p99",
    sizes: "스트림 수별 배치", stream: "스트림", steps: "스텝", saved: "저장됨", idle: "쉰 시간(초)",
    latest: "최근에 스텝을 보낸 스트림", none: "열린 스트림이 없습니다", gone: "서버가 응답하지 않습니다", draining: "서버가 종료하는 중입니다",
  },
};
const KEPT = 120;
const SVG = "http://www.w3.org/2000/svg";
const asked = new URLSearchParams(location.search).get("lang");
let language = asked === "ko" || (!asked && navigator.language.startsWith("ko")) ? "ko" : "en";
let before = null;
const past = new Map();

function made(name, text, parent, kind) {
  const element = document.createElement(name);
  if (text !== undefined && text !== null) element.textContent = text;
  if (kind) element.className = kind;
  if (parent) parent.append(element);
  return element;
}

function shown(value, digits = 0) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  return value.toLocaleString(language, {maximumFractionDigits: digits});
}

function svg(parent, label) {
  const picture = document.createElementNS(SVG, "svg");
  picture.setAttribute("viewBox", "0 0 100 100");
  picture.setAttribute("preserveAspectRatio", "none");
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", label);
  parent.append(picture);
  return picture;
}

function figure(parent, label, highest) {
  const element = made("figure", null, parent);
  const picture = svg(element, label);
  const caption = made("figcaption", null, element);
  made("span", label, caption);
  made("span", highest, caption);
  return picture;
}

function curve(picture, values, most, kind) {
  const path = document.createElementNS(SVG, "path");
  let line = "", begun = false;
  values.forEach((value, place) => {
    if (value === null) { begun = false; return; }
    const x = 100 * (place + KEPT - values.length) / (KEPT - 1);
    line += `${begun ? "L" : "M"}${x.toFixed(2)} ${(98 - 94 * value / most).toFixed(2)}`;
    begun = true;
  });
  path.setAttribute("d", line || "M0 0");
  if (kind) path.setAttribute("class", kind);
  picture.append(path);
}

function bars(picture, sizes) {
  const entries = Object.entries(sizes), most = Math.max(1, ...entries.map(([, n]) => n));
  entries.forEach(([size, count], place) => {
    const bar = document.createElementNS(SVG, "rect"), wide = Math.min(12, 100 / entries.length);
    const high = 94 * count / most;
    bar.setAttribute("x", place * wide + wide * 0.1);
    bar.setAttribute("width", wide * 0.8);
    bar.setAttribute("y", 100 - high);
    bar.setAttribute("height", high);
    const title = document.createElementNS(SVG, "title");
    title.textContent = `≤ ${size}: ${count}`;
    bar.append(title);
    picture.append(bar);
  });
}

function noted(model, seconds) {
  const last = before && before.models.find((one) => one.model === model.model);
  const rows = past.get(model.model) || [];
  const per = (key) => (last && seconds > 0 ? Math.max(0, model[key] - last[key]) / seconds : null);
  rows.push({rate: per("steps"), busy: per("seconds"), p50: model.p50_ms, p99: model.p99_ms,
             batches: per("batches"), rows: per("rows")});
  while (rows.length > KEPT) rows.shift();
  past.set(model.model, rows);
  return rows;
}

function drawn(model, rows, streams, parent) {
  const t = WORDS[language], now = rows[rows.length - 1];
  const section = made("section", null, parent);
  made("h2", `${model.model} · ${model.task}`, section);
  const list = made("dl", null, section, "figures");
  const figures = [
    ["streams", shown(model.streams)], ["rate", shown(now.rate)], ["p50", shown(model.p50_ms, 2)],
    ["p99", shown(model.p99_ms, 2)], ["batch", shown(now.batches ? now.rows / now.batches : null, 1)],
    ["busy", now.busy === null ? "–" : `${shown(100 * now.busy, 1)} %`], ["waiting", shown(model.waiting)],
    ["unsaved", shown(model.unsaved)], ["refused", shown(model.refused)],
  ];
  for (const [word, value] of figures) {
    const pair = made("div", null, list);
    made("dt", t[word], pair);
    made("dd", value, pair);
  }
  const charts = made("div", null, section, "charts");
  const rates = rows.map((row) => row.rate), fastest = Math.max(1, ...rates.filter((one) => one !== null));
  curve(figure(charts, t.load, `≤ ${shown(fastest)}`), rates, fastest);
  const high = Math.max(0.1, ...rows.map((row) => row.p99 || 0));
  const picture = figure(charts, t.latency, `≤ ${shown(high, 1)}`);
  curve(picture, rows.map((row) => row.p50), high);
  curve(picture, rows.map((row) => row.p99), high, "second");
  const known = Object.keys(model.batch_sizes);
  bars(figure(charts, t.sizes, known.length ? `1 – ${known[known.length - 1]}` : ""), model.batch_sizes);
  if (!streams.length) { made("p", t.none, section); return; }
  const table = made("table", null, section);
  made("caption", t.latest, table);
  const head = made("tr", null, made("thead", null, table));
  for (const word of ["stream", "steps", "saved", "idle"]) made("th", t[word], head).scope = "col";
  const body = made("tbody", null, table);
  for (const one of streams) {
    const row = made("tr", null, body);
    made("td", one.stream, row);
    for (const value of [one.steps, one.saved]) made("td", shown(value), row);
    made("td", shown(one.idle, 1), row);
  }
}

async function asJson(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(answer.status);
  return answer.json();
}

async function look() {
  const t = WORDS[language], state = document.getElementById("state");
  try {
    const now = {...await asJson("/v1/status"), at: performance.now() / 1000};
    if (before && before.process !== now.process) before = null;
    const seconds = before ? now.at - before.at : 0;
    const content = document.createDocumentFragment();
    for (const model of now.models) {
      const path = `/v1/models/${encodeURIComponent(model.model)}/streams?most=12`;
      const {streams} = now.draining ? {streams: []} : await asJson(path);
      drawn(model, noted(model, seconds), streams, content);
    }
    document.getElementById("models").replaceChildren(content);
    state.textContent = now.draining ? t.draining : "";
    before = now;
  } catch (error) {
    state.textContent = t.gone;
  }
}

function speak() {
  const t = WORDS[language];
  document.documentElement.lang = language;
  document.title = t.title;
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = t[element.dataset.word];
  document.getElementById("language").textContent = t.other;
}

document.getElementById("language").addEventListener("click", () => {
  language = language === "ko" ? "en" : "ko";
  speak();
});
speak();
look();
setInterval(look, 1000);
