"use strict";
// Follows what happens by asking for the page again, and opens the dialogs. The server makes all HTML.

const every = Number(document.body.dataset.every || 0) * 1000;
const lost = document.getElementById("lost");
const news = document.getElementById("news");
const shown = new Map(); // the HTML that each live part has from the server

for (const part of document.querySelectorAll("[data-live]")) shown.set(part.id, part.innerHTML);

// replace puts a new part in the place of one, and keeps where the reader is in it.
function replace(now, next) {
  if (shown.get(now.id) === next.innerHTML) return;
  shown.set(now.id, next.innerHTML);
  const focus = now.contains(document.activeElement) ? document.activeElement : null;
  const inner = focus && focus !== now && !focus.id ? [...now.querySelectorAll("[tabindex]")].indexOf(focus) : -1;
  const scrolls = [...now.querySelectorAll("[tabindex]")].map((e) => [e.scrollLeft, e.scrollTop]);
  now.replaceChildren(...document.importNode(next, true).childNodes);
  const after = now.querySelectorAll("[tabindex]");
  after.forEach((e, i) => { if (scrolls[i]) [e.scrollLeft, e.scrollTop] = scrolls[i]; });
  if (focus && focus.id) document.getElementById(focus.id)?.focus({ preventScroll: true });
  if (inner >= 0) after[inner]?.focus({ preventScroll: true });
}

// tell lets a screen reader say what has changed.
function tell(next) {
  const text = next.dataset.news;
  if (!text || text === document.body.dataset.told) return;
  document.body.dataset.told = text;
  const says = text.replace(/, for [^,]*, in /, ", in ");
  if (news.textContent !== says) news.textContent = says;
}

function follow(html) {
  const page = new DOMParser().parseFromString(html, "text/html");
  for (const next of page.querySelectorAll("[data-live]")) {
    const now = document.getElementById(next.id);
    if (now) replace(now, next);
    if (next.dataset.news) tell(next);
  }
  // With a part that was not there, or about another execution, the page is made anew, unless somebody writes in a dialog.
  const has = (d) => [...d.querySelectorAll("main section[aria-labelledby]")].map((s) => s.getAttribute("aria-labelledby") + s.dataset.execution).join();
  if (has(page) !== has(document) && !document.querySelector("dialog[open]")) {
    const focus = document.activeElement?.id;
    document.getElementById("main").replaceChildren(...document.importNode(page.getElementById("main"), true).childNodes);
    for (const part of document.querySelectorAll("[data-live]")) shown.set(part.id, part.innerHTML);
    if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
  }
  return Number(page.body.dataset.every || 0) * 1000;
}

function complain(text) {
  if (lost.textContent !== text) lost.textContent = text;
  lost.hidden = !text;
}

async function look(wait) {
  if (document.hidden) return setTimeout(look, 500, wait);
  try {
    const answer = await fetch(location.href, { cache: "no-store", credentials: "same-origin" });
    if (answer.status === 403 || answer.status === 404) {
      complain("This page is not known any more. Open the URL that rotator console has printed.");
    } else if (!answer.ok) {
      complain(`The page could not be read again: ${answer.status}.`);
    } else {
      wait = follow(await answer.text()) || wait;
      complain("");
    }
  } catch {
    complain("rotator console does not answer: has it been ended? What was started goes on without it.");
  }
  setTimeout(look, wait, wait);
}

document.addEventListener("click", (event) => {
  const open = event.target.closest("[data-dialog]");
  if (open) {
    const dialog = document.getElementById(open.dataset.dialog);
    dialog.showModal();
    dialog.addEventListener("close", () => document.getElementById(open.id)?.focus(), { once: true });
  }
  event.target.closest("[data-close]")?.closest("dialog").close();
});

// A second click must not start a second execution.
document.addEventListener("submit", (event) => {
  for (const button of event.target.querySelectorAll("button")) button.disabled = true;
});

if (every) setTimeout(look, every, every);
