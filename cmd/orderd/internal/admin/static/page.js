// What the pages can do more with a script than without. They work without it.
"use strict";

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue; // http to another machine
  button.hidden = false;
  const text = button.textContent;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = text; }, 1500);
  });
}

// A form that opens is a form to be filled in.
for (const details of document.querySelectorAll("details.act")) {
  details.addEventListener("toggle", () => {
    if (details.open) details.querySelector("input[name=reason]").focus();
  });
}

// One click sends; the server would take a second one for a repeat anyway.
for (const form of document.querySelectorAll("details.act form")) {
  form.addEventListener("submit", () => { form.querySelector("button").disabled = true; });
}

// On a narrow screen the diagram begins where the order is.
for (const box of document.querySelectorAll(".diagram")) {
  const state = box.querySelector(".current")?.getBoundingClientRect();
  if (!state) continue;
  box.scrollLeft += state.left + state.width / 2 - box.getBoundingClientRect().left - box.clientWidth / 2;
}

// A page from the browser's memory is as old as it was; its buttons work again.
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
