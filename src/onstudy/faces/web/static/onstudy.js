// What a page can do more easily with JavaScript; without it everything still works.
"use strict";

// Buttons that only a script can serve are hidden in the page and shown here.
function show(root) {
  for (const button of root.querySelectorAll("[data-print], [data-copy]")) button.hidden = false;
}

document.addEventListener("click", (event) => {
  const print = event.target.closest("[data-print]");
  if (print) window.print();
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    navigator.clipboard.writeText(copy.dataset.copy).then(() => {
      const said = document.getElementById(copy.getAttribute("aria-controls"));
      if (said) said.textContent = "Copied.";
    }, () => window.prompt("Copy this address:", copy.dataset.copy));
  }
});

// A button that leads to another page is left to the browser, within a form that htmx sends otherwise.
document.addEventListener("submit", (event) => {
  if (event.submitter && event.submitter.hasAttribute("data-native")) event.stopImmediatePropagation();
}, true);

// An address holds what was asked, not the fields that were left empty.
document.addEventListener("formdata", (event) => {
  if (event.target.method !== "get") return;
  for (const name of new Set(event.formData.keys())) {
    if (event.formData.getAll(name).every((value) => value === "")) event.formData.delete(name);
  }
});

// What is ticked goes along to the other pages of a search, which are links.
document.addEventListener("change", (event) => {
  if (event.target.name !== "tick") return;
  const form = event.target.form;
  const ticked = new FormData(form).getAll("tick");
  for (const link of form.querySelectorAll('a[href^="/trials?"]:not([data-untick])')) {
    const address = new URL(link.href);
    address.searchParams.delete("tick");
    for (const one of ticked) address.searchParams.append("tick", one);
    link.href = address.pathname + address.search;
  }
});

// Errors get the focus, so that they are read out and the next Tab leads to the first of them.
function tellErrors() {
  const errors = document.getElementById("errors");
  if (errors) errors.focus();
}

document.addEventListener("DOMContentLoaded", () => {
  show(document);
  const narrow = document.getElementById("narrow");
  if (narrow && window.matchMedia("(max-width: 63.99em)").matches && !narrow.querySelector(":checked")) narrow.open = false;
  tellErrors();
});

// A part of the page was fetched anew: say what it says now.
document.addEventListener("htmx:after:swap", () => {
  show(document);
  tellErrors();
  const now = document.querySelector("[data-say]");
  const said = document.getElementById("said");
  if (now && said) said.textContent = now.textContent.trim().replace(/\s+/g, " ");
});

// On paper what belongs there is unfolded, and folded again afterwards.
window.addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details[data-paper]:not([open])")) { part.dataset.folded = ""; part.open = true; }
});
window.addEventListener("afterprint", () => {
  for (const part of document.querySelectorAll("details[data-folded]")) { delete part.dataset.folded; part.open = false; }
});
