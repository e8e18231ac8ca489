// Live updates: one stream of names of changes while the page is visible; parts with such a name are requested again.
{
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
      (part.dataset.fresh && part.getBoundingClientRect().top < 0 ? offer : replace)(part, fresh);
    }
  };
  // The focus stays on the same thing, or goes to its successor. Without one inside, what the part wants to have it gets it.
  const replace = (part, fresh) => {
    const held = active(), way = part.contains(held) && wayTo(held);
    part.replaceWith(fresh);
    htmx.process(fresh);
    way ? goTo(way) : held.contains(fresh) && one("[data-focus]", fresh)?.focus();
  };
  // Above a list that was scrolled, the changes wait for a click.
  const offer = (part, fresh) => {
    one(".fresh")?.remove();
    const button = make("button");
    button.className = "btn fresh";
    button.textContent = part.dataset.fresh;
    on("click", () => { button.remove(); replace(part, fresh); scrollTo(0, 0); }, button);
    part.before(button);
    say(button.textContent);
  };

  const open = () => {
    if (stream || document.hidden || !parts().length) return;
    stream = new EventSource(texts.liveStream);
    on("changed", ({ data, lastEventId }) => {
      last = lastEventId || last;
      waiting.push(...data.split(" "));
      clearTimeout(timer);
      timer = setTimeout(() => request(waiting.splice(0)), 150);
    }, stream);
  };
  const close = () => { stream = stream?.close(); };
  on("visibilitychange", () => {
    if (document.hidden) return close();
    if (last) request(parts().flatMap(names));
    open();
  });
  on("pagehide", close);
  on("pageshow", open);

  // A view had not caught up: the page asks once more.
  if ("behind" in texts) setTimeout(() => { if (!one(unsaved)) location.reload(); }, 1000);
}
