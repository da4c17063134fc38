// Shisa Arena, volunteer side. Everything here is an extra: votes are plain form buttons without it.
const $ = (s, at = document) => at.querySelector(s);
const $$ = (s, at = document) => [...at.querySelectorAll(s)];

// Dialogs: help and report
const show = id => { const d = document.getElementById(id); if (d?.showModal && !d.open) d.showModal(); };
document.addEventListener("click", e => {
  const open = e.target.closest("[data-open]");
  if (open) { $("#more:popover-open")?.hidePopover(); show(open.dataset.open); }
  if (e.target.closest("[data-close]")) e.target.closest("dialog").close();
});

// Time in sight of the pair, and what the choice was made with
let seen = 0, since = performance.now();
const restart = () => { seen = 0; since = performance.now(); };
document.addEventListener("visibilitychange", () => {
  if (document.hidden) seen += performance.now() - since; else since = performance.now();
});
let by = "mouse";
document.addEventListener("pointerdown", e => { by = e.pointerType === "mouse" ? "mouse" : "touch"; }, true);
document.addEventListener("keydown", () => { by = "key"; }, true);

// Sending: a form that failed keeps its button, so that the same vote can be sent again
let last = null, again = false, flying = false;
const notice = name => $$(".notice[data-notice]").forEach(n => { n.hidden = n.dataset.notice !== name; });
const resend = () => {
  if (flying || !last?.isConnected) return;
  notice(null);
  again = true;
  last.click();
  again = false;
};
document.addEventListener("click", e => {
  const button = e.target.closest("#round [name=vote], #round [name=skip], #round [name=undo], #round [name=token], #report .go");
  // While a ballot is on its way the pair in sight is not the one the form belongs to: a click then is for neither.
  if (button && flying) { e.preventDefault(); e.stopImmediatePropagation(); return; }
  if (button && !again) {
    last = button;
    if (button.name !== "vote") return;
    button.form.elements.dwell_ms.value = Math.round(seen + performance.now() - since);
    button.form.elements.input.value = by;
  }
  if (e.target.closest("[data-resend]")) resend();
}, true);
const failed = () => {
  flying = false;
  putBack();
  $$(".votes [aria-pressed]").forEach(b => b.removeAttribute("aria-pressed"));
  notice(navigator.onLine ? "retry" : "offline");
};
document.addEventListener("htmx:sendError", failed);
document.addEventListener("htmx:timeout", failed);
document.addEventListener("htmx:responseError", e => {
  // 503: the database was busy and nothing was taken. 404: this browser is not that voter any more.
  const { status } = e.detail.xhr;
  if (status === 403 || status === 404) { location.assign("/compare"); return; }
  if (status === 503) setTimeout(resend, 1000 * (+e.detail.xhr.getResponseHeader("Retry-After") || 2));
  failed();
});
addEventListener("online", () => { if ($(".notice[data-notice=offline]:not([hidden])")) resend(); });

// The pair after this one is already here: shown at the click. The answer swaps the same pair in, with its strip and the
// template after it; where it does not come, the pair that was being judged is put back, and nothing was lost.
let shown = null;
const putBack = () => {
  if (shown?.main.isConnected) shown.main.replaceChildren(...shown.nodes);
  shown = null;
};
document.addEventListener("htmx:beforeSend", e => {
  flying = true;
  $("#report[open]")?.close();
  const button = e.detail.requestConfig.triggeringEvent?.submitter, next = $("#prefetched"), main = $("#main");
  if (!button?.matches(".votes button")) return;
  button.setAttribute("aria-pressed", "true");
  if (!next || shown) return;
  shown = { main, nodes: [...main.childNodes] };
  main.replaceChildren($("h1", main), next.content.cloneNode(true));
  scrollTo({ top: 0, behavior: "instant" });
  restart();
});

// After a swap: the new pair
const arrived = () => {
  const round = $("#round");
  if (!round) return;
  flying = false;
  if (!shown) restart();
  shown = last = null;
  const bar = $(".progress progress"), words = $("#so-far");
  if (bar) { bar.value = +round.dataset.done; words.textContent = round.dataset.soFar; }
};
document.addEventListener("htmx:afterSwap", e => {
  if (e.detail.target.id !== "round" && !$("#round")?.contains(e.detail.target)) return;
  arrived();
  $("#round h1")?.focus({ preventScroll: true });
});

// Flip (phone): jump to the other answer; each keeps the place where it was left
const kept = { a: 0, b: 0 };
const topOf = k => document.getElementById(k).getBoundingClientRect().top;
const aim = () => {
  const flip = $(".flip");
  if (!flip) return;
  const to = topOf("b") < innerHeight * .45 ? "a" : "b", label = $("span", flip);
  if (flip.dataset.to !== to) { flip.dataset.to = to; flip.hash = to; label.textContent = label.dataset[to]; }
};
document.addEventListener("click", e => {
  const flip = e.target.closest(".flip");
  if (!flip) return;
  e.preventDefault();
  const to = flip.dataset.to, from = to === "a" ? "b" : "a";
  kept[from] = Math.max(0, -topOf(from));
  scrollTo({ top: scrollY + topOf(to) + kept[to], behavior: "instant" });
  aim();
});
let due = 0;
addEventListener("scroll", () => { due ||= requestAnimationFrame(() => { due = 0; aim(); }); }, { passive: true });

// Folds open together, so that A and B are read to the same depth
document.addEventListener("toggle", e => {
  if (e.target.matches?.(".rest")) $$("#round main .rest").forEach(o => { if (o !== e.target) o.open = e.target.open; });
}, true);

// Reasons save themselves
let saving = Promise.resolve();
const save = form => {
  // One after the other: the last state of the form is the one that is kept.
  const said = $("#reasons-saved"), body = new FormData(form);
  said.textContent = "";
  saving = saving.then(async () => {
    const sent = { method: "POST", body, headers: { "HX-Request": "true" }, keepalive: true };
    const answer = await fetch(form.dataset.reasons, sent).catch(() => null);
    said.textContent = answer?.ok ? said.dataset.saved : said.dataset.late;
  });
};
document.addEventListener("change", e => { if (e.target.matches(".strip :is([name=reason], [name=comment])")) save(e.target.form); });
// Enter in a chip would press the form's first button, and that one is Undo.
document.addEventListener("keydown", e => { if (e.key === "Enter" && e.target.matches(".strip [type=checkbox]")) { e.preventDefault(); e.target.click(); } });
document.addEventListener("click", e => {
  if (e.target.closest("[data-save]")) { e.preventDefault(); save(e.target.form); $("#say").checked = false; }
});

// Keys: can be turned off (help), never while typing, never inside a scrolling block or an open dialog
const on = $("#use-keys");
// Storage may be forbidden: then the switch holds for this page.
try { on.checked = localStorage.getItem("keys") !== "off"; } catch { on.checked = true; }
on.addEventListener("change", () => { try { localStorage.setItem("keys", on.checked ? "on" : "off"); } catch { /* as above */ } });
const press = {
  Digit1: "[value=left]", Numpad1: "[value=left]", ArrowLeft: "[value=left]", Digit2: "[value=tie]", Numpad2: "[value=tie]",
  Digit3: "[value=both_bad]", Numpad3: "[value=both_bad]", Digit4: "[value=right]", Numpad4: "[value=right]",
  ArrowRight: "[value=right]", Digit0: "[value=cannot_judge]", Numpad0: "[value=cannot_judge]", KeyS: "[value=skip]", KeyU: "[name=undo]",
};
addEventListener("keydown", e => {
  if (!on.checked || e.isComposing || e.ctrlKey || e.metaKey || e.altKey || e.repeat || flying || $("dialog[open]")) return;
  if (e.target.closest("input:not([type=checkbox]), textarea, select, pre, .table, summary")) return;
  const wanted = !e.shiftKey && press[e.code], button = wanted && $(`#round .bar ${wanted}`);
  if (button && !button.disabled) { e.preventDefault(); button.click(); }
  else if (e.key === "?") show("help");
  else if (e.code === "KeyF" && !e.shiftKey) show("report");
});
