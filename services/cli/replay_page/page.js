"use strict";
// Moving a threshold looks up what was worked out for that place; nothing is computed about anybody here.
const data = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg";
const find = (id) => document.getElementById(id);
const shown = (number) => number.toLocaleString("en-GB");
const sum = (numbers) => numbers.reduce((total, each) => total + each, 0);

function drawn(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const key in attributes) made.setAttribute(key, attributes[key]);
  return made;
}

// Bars for before, a stepped line for after, both on one scale; the same scale while a threshold is moved.
function chart(svg, before, after, highest) {
  const weeks = before.length, wide = 100 / weeks, top = Math.max(1, highest);
  const y = (number) => 40 - (number / top) * 38;
  svg.replaceChildren();
  before.forEach((number, week) => {
    if (number) {
      svg.append(drawn("rect", { x: week * wide, y: y(number), width: wide * 0.85, height: 40 - y(number), fill: "#9aa5b1" }));
    }
  });
  const line = after.map((number, week) => `${week ? "L" : "M"}${week * wide} ${y(number)}H${(week + 1) * wide}`).join("");
  svg.append(drawn("path", {
    d: line, fill: "none", stroke: "#1f4f8f", "stroke-width": 2, "vector-effect": "non-scaling-stroke",
  }));
}

function work(step, name) {
  return step && step.work[name] ? step.work[name] : data.work[name].after;
}

function highest(threshold, name) {
  const all = [data.work[name].before, data.work[name].after];
  if (threshold) threshold.steps.forEach((step) => all.push(work(step, name)));
  return Math.max(...all.map((numbers) => Math.max(0, ...numbers)));
}

function show(threshold, step) {
  const at = step || data;
  find("changed").textContent = shown(at.changed);
  find("persons").textContent = shown(at.persons);
  find("held").textContent = step ? shown(step.held) : "-";
  let people = 0;
  for (const name in data.work) {
    const before = data.work[name].before, after = work(step, name);
    const was = sum(before), is = sum(after), figure = find(`chart-${name.replaceAll(" ", "-")}`);
    figure.classList.toggle("same", before.every((number, week) => number === after[week]));
    figure.querySelector(".was").textContent = shown(was);
    figure.querySelector(".is").textContent = shown(is);
    const by = is - was;
    figure.querySelector(".by").textContent = by ? ` (${by > 0 ? "+" : "\u2212"}${shown(Math.abs(by))})` : "";
    chart(figure.querySelector("svg"), before, after, highest(threshold, name));
    document.querySelectorAll(`td[data-of="${name}"]`).forEach((cell) => {
      const week = Number(cell.dataset.week), turned = before[week] !== after[week];
      cell.textContent = turned ? `${shown(before[week])} \u2192 ${shown(after[week])}` : shown(after[week]);
      cell.classList.toggle("turned", turned);
    });
  }
}

function choose() {
  const threshold = data.thresholds[find("which").value], range = find("place");
  range.max = threshold.steps.length - 1;
  range.value = threshold.steps.findIndex((step) => step.bound === threshold.bound);
  find("at").textContent = `${threshold.at ? threshold.at + ", " : ""}in ${threshold.rules.join(", ")}`;
  move();
}

function move() {
  const threshold = data.thresholds[find("which").value], step = threshold.steps[find("place").value];
  const own = step.bound === threshold.bound;
  const words = `${threshold.fact} is ${threshold.word} ${step.bound}`;
  find("bound").textContent = words + (own ? ", as in the candidate" : `, in place of ${threshold.bound}`);
  find("place").setAttribute("aria-valuetext", words);
  find("back").disabled = own;
  show(threshold, step);
}

if (data.thresholds.length) {
  find("mover").hidden = false;
  find("which").addEventListener("change", choose);
  find("place").addEventListener("input", move);
  find("back").addEventListener("click", choose);
  choose();
} else {
  show(null, null);
}
