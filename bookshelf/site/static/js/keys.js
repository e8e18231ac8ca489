// Keys: an element with data-keys is used by them; rows (data-row) are walked by j and k. A sequence ends after 1 s.
(() => {
  const { one, all, on, root } = bookshelf;
  const writing = "input:not([type=checkbox], [type=radio]), textarea, select";
  let typed = "", timer, at = -1, anchor = -1, marking;

  const rows = () => all("[data-row]");
  const walk = (step) => {
    const found = rows();
    if (!found.length) return;
    found[at]?.classList.remove("current");
    at = Math.min(Math.max(at + step, 0), found.length - 1);
    found[at].classList.add("current");
    one("a, button, input", found[at])?.focus();
  };
  // The element for the keys: of the present row, else of the page, or of the open dialog.
  const find = (keys, sign = "") => {
    const wanted = `[data-keys${sign}="${CSS.escape(keys)}"]`;
    const shown = (part) => part && all(wanted, part).find((element) => element.getClientRects().length);
    return shown(rows()[at]) || shown(one("dialog[open]") || document);
  };
  const use = (element) => {
    element.focus();
    element.matches(writing) ? element.select() : element.click();
  };

  on("keydown", (event) => {
    const { key, target } = event, field = target.closest(writing);
    if (root.dataset.keys === "off" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (key === "Escape") field ? field.blur() : one("dialog[open]") || one(".back")?.click();
    if (field || key.length > 1 || event.isComposing) return;
    const begins = () => find(`${typed} `, "^");
    typed = `${typed} ${key}`.trim();
    if (!find(typed) && !begins()) typed = key;
    clearTimeout(timer);
    timer = setTimeout(() => { typed = ""; }, 1000);
    if (find(typed)) use(find(typed));
    else if (begins()) return;
    else if (key === "j") walk(1);
    else if (key === "k") walk(-1);
    else if ("xX".includes(key)) {
      marking = !boxes()[at] && one("#select");
      marking ? marking.click() : mark(at, key === "X", !boxes()[at]?.checked);
    }
    else return;
    event.preventDefault();
  });

  // Selection: x selects a row, X all rows since the last one; a click with shift does the same.
  const boxes = () => rows().map((row) => one("[data-select]", row));
  const mark = (place, range, state) => {
    const found = boxes(), from = range && anchor >= 0 ? anchor : place;
    if (!found[place]) return;
    for (const box of found.slice(Math.min(from, place), Math.max(from, place) + 1)) box.checked = state;
    anchor = place;
    found[place].dispatchEvent(new Event("change", { bubbles: true }));
  };
  // The first x shows the boxes, and selects the row once they are there.
  on("htmx:afterSettle", () => { if (marking) mark(at, marking = false, true); });
  on("click", ({ target, shiftKey }) => {
    if (target.matches("[data-select]")) mark(boxes().indexOf(target), shiftKey, target.checked);
  });
  on("change", ({ target }) => {
    if (!target.matches("[data-select]")) return;
    const count = all("[data-select]:checked").length;
    all("[data-selected]").forEach((shown) => { shown.textContent = count; });
    all("[data-selection]").forEach((bar) => { bar.hidden = !count; });
  });
})();
