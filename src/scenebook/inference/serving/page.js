"use strict";
// Everything that comes from a run or a file is set as text, never as markup.
const at = (id) => document.getElementById(id);
const percent = (share) => (share > 0.9995 && share < 1 ? ">99.9%" : `${(100 * share).toFixed(1)}%`);
const MOST_SHOWN = 10;
let mostBytes = Infinity;

function add(parent, tag, text = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  parent.append(element);
  return element;
}

function show(answer) {
  const [first] = answer.classes;
  at("class").textContent = `${first.name}: ${percent(first.probability)}`;
  at("unlike").hidden = answer.distance === null || answer.distance <= answer.threshold;
  at("image").src = answer.image;
  at("map-figure").hidden = answer.map === null;
  if (answer.map !== null) at("map").src = answer.map;
  at("classes").replaceChildren();
  for (const { name, probability } of answer.classes.slice(0, MOST_SHOWN)) {
    const row = add(at("classes"), "tr");
    add(row, "th", name).scope = "row";
    add(row, "td", percent(probability));
    const bar = add(add(row, "td"), "meter");
    bar.value = probability;
    bar.setAttribute("aria-hidden", "true");
  }
  const others = answer.classes.length - MOST_SHOWN;
  at("others").textContent = others > 0 ? `${others} other classes are less probable than these.` : "";
  at("nearest-section").hidden = answer.nearest.length === 0;
  at("nearest").replaceChildren();
  for (const { image, label, path, distance } of answer.nearest) {
    const item = add(at("nearest"), "li");
    const shown = add(item, "img");
    shown.src = image;
    shown.alt = path;
    add(item, "b", label);
    add(item, "div", `${path} (distance ${distance.toFixed(3)})`);
  }
  if (answer.distance !== null)
    at("distance").textContent =
      `Mean distance to the 10 nearest: ${answer.distance.toFixed(3)}; above ${answer.threshold.toFixed(3)}, ` +
      "an image counts as unlike the training images.";
  at("answer").hidden = false;
}

async function classify(file) {
  const fail = (reason) => { at("status").textContent = reason; };
  at("answer").hidden = true;
  if (file.size > mostBytes) return fail(`${file.name} is too large: at most ${mostBytes / 1e6} MB are taken.`);
  at("status").textContent = `${file.name} is being classified ...`;
  try {
    const response = await fetch("classify", { method: "POST", body: file });
    const answer = await response.json();
    if (answer.error) return fail(answer.error);
    at("status").textContent = file.name;
    show(answer);
  } catch {
    fail("The program that shows this page has been closed.");
  }
}

at("file").addEventListener("change", (event) => event.target.files[0] && classify(event.target.files[0]));
// An image that misses the box would otherwise be opened in place of the page.
addEventListener("dragover", (event) => { event.preventDefault(); at("drop").classList.add("over"); });
addEventListener("dragleave", () => at("drop").classList.remove("over"));
addEventListener("drop", (event) => {
  event.preventDefault();
  at("drop").classList.remove("over");
  const [file] = event.dataTransfer.files;
  if (file) classify(file);
});
fetch("about").then((response) => response.json()).then((about) => {
  at("run").textContent = about.run;
  at("count").textContent = about.classes;
  mostBytes = about.most_bytes;
});
