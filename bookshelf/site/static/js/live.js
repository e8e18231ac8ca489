// Live updates: one stream of names of changes while the page is visible; parts with such a name are requested again.
(() => {
  const { parse, say } = window.bookshelf;
  let stream, last = "", waiting = new Set(), timer;

  const parts = () => [...document.querySelectorAll("[data-live]")];
  const busy = (part) => part.matches("[data-dirty], :has([data-dirty], dialog[open], [data-select]:checked)");

  const replace = async (names) => {
    const asked = parts().filter((part) => part.dataset.live.split(" ").some((name) => names.has(name)));
    if (!asked.length) return;
    const answer = await fetch(location.href, { headers: { Accept: "text/html", ...(last && { "Bookshelf-After": last }) } });
    if (!answer.ok) return;
    const page = parse(await answer.text());
    for (const part of asked) {
      const fresh = page.getElementById(part.id);
      if (!fresh || fresh.outerHTML === part.outerHTML || busy(part)) continue;
      if (part.dataset.fresh && part.getBoundingClientRect().top < 0) offer(part, fresh);
      else swap(part, fresh);
    }
  };
  // The focus stays on the element with the same id.
  const swap = (part, fresh) => {
    const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
    part.replaceWith(fresh);
    window.htmx?.process(fresh);
    (document.getElementById(focused) || (focused && fresh))?.focus?.();
  };
  // Above a list that was scrolled, the changes wait for a click.
  const offer = (part, fresh) => {
    document.querySelector(`[data-offer="${part.id}"]`)?.remove();
    const button = Object.assign(document.createElement("button"), { className: "btn fresh", textContent: part.dataset.fresh });
    button.dataset.offer = part.id;
    button.addEventListener("click", () => { button.remove(); swap(part, fresh); scrollTo(0, 0); });
    part.before(button);
    say(part.dataset.fresh);
  };

  const open = () => {
    if (stream || document.visibilityState !== "visible" || !parts().length) return;
    const address = document.body.dataset.liveStream;
    stream = new EventSource(address);
    stream.addEventListener("changed", (event) => {
      if (event.lastEventId) last = event.lastEventId;
      for (const name of event.data.split(" ")) waiting.add(name);
      clearTimeout(timer);
      timer = setTimeout(() => { const names = waiting; waiting = new Set(); replace(names); }, 150);
    });
    stream.onerror = () => { if (stream?.readyState === EventSource.CLOSED) stream = undefined; };
  };
  const close = () => { stream?.close(); stream = undefined; };
  addEventListener("visibilitychange", () => {
    if (document.visibilityState !== "visible") return close();
    const missed = new Set(parts().flatMap((part) => part.dataset.live.split(" ")));
    if (!stream && last) replace(missed);
    open();
  });
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  open();

  // A view had not caught up: the page asks once more.
  if ("behind" in document.body.dataset) setTimeout(() => { if (!document.querySelector("[data-dirty], dialog[open]")) location.reload(); }, 1000);
})();
