// Live updates: one stream of names of changes while the page is visible; parts with such a name are requested again.
(() => {
  const { one, all, on, parse, say } = bookshelf;
  const { liveStream, behind } = document.body.dataset;
  const unsaved = "[data-dirty], dialog[open], [data-select]:checked";
  let stream, last, timer, waiting = [];

  const parts = () => all("[data-live]");
  const names = (part) => part.dataset.live.split(" ");
  const isBusy = (part) => part.matches(unsaved) || one(unsaved, part);

  const request = async (changed) => {
    const asked = parts().filter((part) => names(part).some((name) => changed.includes(name)));
    if (!asked.length) return;
    const answer = await fetch(location.href, { headers: last ? { "Bookshelf-After": last } : {} });
    if (!answer.ok) return;
    const page = parse(await answer.text());
    for (const part of asked) {
      const fresh = page.getElementById(part.id);
      if (!fresh || fresh.outerHTML === part.outerHTML || isBusy(part)) continue;
      if (part.dataset.fresh && part.getBoundingClientRect().top < 0) offer(part, fresh);
      else replace(part, fresh);
    }
  };
  // The focus stays where it was below the same id; if that is gone, it goes to the next row. Without a focus,
  // what the part wants to have it gets it.
  const usable = "a, button, input, select, textarea, summary";
  const replace = (part, fresh) => {
    const active = document.activeElement, held = part.contains(active), holder = active.closest("[id]") || part;
    const rows = (list) => all("[data-row]", list), row = rows(part).findIndex((item) => item.contains(active));
    const place = all(usable, holder).indexOf(active);
    part.replaceWith(fresh);
    htmx.process(fresh);
    const same = document.getElementById(holder.id), next = same || rows(fresh)[row] || rows(fresh).at(-1) || fresh;
    const found = place < 0 && same || all(usable, next)[place] || one(usable, next) || one("#main");
    if (held) found.focus();
    else if (active === document.body) one("[data-focus]", fresh)?.focus();
  };
  // Above a list that was scrolled, the changes wait for a click.
  const offer = (part, fresh) => {
    one(".fresh")?.remove();
    const button = document.createElement("button");
    [button.className, button.textContent] = ["btn fresh", part.dataset.fresh];
    on("click", () => { button.remove(); replace(part, fresh); scrollTo(0, 0); }, button);
    part.before(button);
    say(button.textContent);
  };

  const open = () => {
    if (stream || document.hidden || !parts().length) return;
    stream = new EventSource(liveStream);
    on("changed", ({ data, lastEventId }) => {
      last = lastEventId || last;
      waiting.push(...data.split(" "));
      clearTimeout(timer);
      timer = setTimeout(() => request(waiting.splice(0)), 150);
    }, stream);
  };
  const close = () => { stream?.close(); stream = undefined; };
  on("visibilitychange", () => {
    if (document.hidden) return close();
    if (last) request(parts().flatMap(names));
    open();
  });
  on("pagehide", close);
  on("pageshow", open);

  // A view had not caught up: the page asks once more.
  if (behind !== undefined) setTimeout(() => { if (!one(unsaved)) location.reload(); }, 1000);
})();
