// Keys: an element with data-keys is used by them; rows (data-row) are walked by j and k. A sequence ends after 1 s.
(() => {
  const root = document.documentElement;
  let typed = "", timer, at = -1;

  const rows = () => [...document.querySelectorAll("[data-row]")];
  const visible = (element) => element.getClientRects().length > 0;
  const walk = (step) => {
    const all = rows();
    if (!all.length) return;
    all[at]?.classList.remove("current");
    at = Math.min(Math.max(at + step, 0), all.length - 1);
    all[at].classList.add("current");
    all[at].querySelector("a, button, input")?.focus();
    all[at].scrollIntoView({ block: "nearest" });
  };
  const find = (keys) => {
    const wanted = `[data-keys~="${CSS.escape(keys.replace(" ", "_"))}"], [data-keys="${CSS.escape(keys)}"]`;
    const scope = document.querySelector("dialog[open]") || document;
    return rows()[at]?.querySelector(wanted) || [...scope.querySelectorAll(wanted)].find(visible);
  };
  const use = (element) => {
    if (element.matches("input:not([type=checkbox], [type=radio]), textarea, select")) { element.focus(); element.select?.(); }
    else element.click();
  };
  const starts = (keys) => document.querySelector(`[data-keys^="${CSS.escape(`${keys} `)}"]`);

  addEventListener("keydown", (event) => {
    if (root.dataset.keys === "off" || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const field = event.target.closest?.("input:not([type=checkbox], [type=radio]), textarea, select");
    if (event.key === "Escape" && !document.querySelector("dialog[open]")) return field ? field.blur() : undefined;
    if (field || event.key.length > 1) return;
    typed = typed ? `${typed} ${event.key}` : event.key;
    clearTimeout(timer);
    timer = setTimeout(() => { typed = ""; }, 1000);
    const found = find(typed);
    if (found) { event.preventDefault(); typed = ""; return use(found); }
    if (starts(typed)) return;
    typed = "";
    if (event.key === "j" || event.key === "k") { event.preventDefault(); walk(event.key === "j" ? 1 : -1); }
    else if (event.key === "x" || event.key === "X") select(event.key === "X");
    else if (event.key === "?") location.assign("/help/keys");
  });

  // Selection: x selects a row, X all rows since the last one; a click with shift does the same.
  let anchor = -1;
  const select = (range) => {
    const boxes = rows().map((row) => row.querySelector("[data-select]"));
    if (boxes[at]) mark(boxes, at, range, !boxes[at].checked);
  };
  const mark = (boxes, place, range, state) => {
    const from = range && anchor >= 0 ? anchor : place;
    for (let n = Math.min(from, place); n <= Math.max(from, place); n++) if (boxes[n]) boxes[n].checked = state;
    anchor = place;
    boxes[place].dispatchEvent(new Event("change", { bubbles: true }));
  };
  addEventListener("click", (event) => {
    if (!event.target.matches?.("[data-select]")) return;
    const boxes = rows().map((row) => row.querySelector("[data-select]"));
    mark(boxes, boxes.indexOf(event.target), event.shiftKey, event.target.checked);
  });
  addEventListener("change", (event) => {
    if (!event.target.matches?.("[data-select]")) return;
    const count = document.querySelectorAll("[data-select]:checked").length;
    for (const shown of document.querySelectorAll("[data-selected]")) shown.textContent = count;
    for (const bar of document.querySelectorAll("[data-selection]")) bar.hidden = !count;
  });
})();
